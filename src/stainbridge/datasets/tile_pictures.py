"""Find the pictures of two stains to train a translation on, and those to validate on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import PIL.Image

from stainbridge.datasets.picture_names import ENDINGS, list_pictures, match_names
from stainbridge.datasets.tiles import FOLDERS
from stainbridge.errors import InputError, MissingFileError
from stainbridge.learn.split import split_validation
from stainbridge.translation.training.picture_stream import Pictures

#: Names of tiles that end in their position on the slide, in pixels.
POSITION = re.compile(r"(.*)_(\d+)_(\d+)$")

#: The pictures of the source and of the target.
Sides = tuple[list[Path], list[Path]]


@dataclass(frozen=True)
class PictureSet:
    """Pictures of two stains, split for training and validation."""

    training: Pictures
    """Pictures to train on."""
    validation: Pictures
    """Pictures to validate on."""
    note: str = ""
    """What the user should know about the split, or empty."""


def read_pictures(
    data: str, stains: tuple[str, str], paired: bool, reverse: bool = False
) -> PictureSet:
    """Find the pictures of `data`, as pairs where an objective needs them.

    `data` is a folder in one of the layouts of `datasets.tiles` (`HE/train`, `IHC/train`, ...;
    `trainA`, `trainB`, ...; `A`, `B`), or a folder of panels (`NAME_HE.png`, `NAME_DAPI.png`, ...)
    of which `stains` are taken, or two folders with a comma between. Files of one name in two
    folders show one place only where pairs are needed. `reverse` makes the second stain the
    source. Raises `InputError` for anything else, and for pictures without partners.
    """
    training, validation, aligned = _find_sides(data, stains, paired)
    note = ""
    if validation is None:
        training, validation, note = _split_sides(training, paired or aligned)
    if reverse:
        training = training[::-1]
        validation = validation[::-1]
    return PictureSet(
        Pictures(tuple(training[0]), tuple(training[1]), paired),
        Pictures(tuple(validation[0]), tuple(validation[1]), paired or aligned),
        note,
    )


def _find_sides(
    data: str, stains: tuple[str, str], paired: bool
) -> tuple[Sides, Sides | None, bool]:
    """Find training files, validation files where the data have some, and whether they are aligned.

    Aligned files of one name show one place.
    """
    if "," in data:
        first, second = (Path(name.strip()) for name in data.split(",", 1))
        return _list_sides(first, second, paired), None, False
    folder = Path(data)
    if not folder.is_dir():
        raise MissingFileError("no such folder of pictures", where=folder)
    splits = {
        split: (folder / a, folder / b)
        for split, a, b in reversed(FOLDERS)
        if list_pictures(folder / a)
    }
    if not splits:
        return _find_panels(folder, stains), None, True
    training = splits.get("train") or splits.get("")
    if training is None:
        raise InputError("no pictures to train on", where=folder, expected="HE/train, trainA or A")
    validation = splits.get("val") or splits.get("test")
    if validation is None:
        return _list_sides(*training, paired), None, _have_same_names(*training)
    aligned = _have_same_names(*validation)
    return _list_sides(*training, paired), _list_sides(*validation, paired or aligned), aligned


def _list_sides(first: Path, second: Path, paired: bool) -> Sides:
    """List the pictures of two folders in order, which have the same names where `paired`."""
    for folder in (first, second):
        if not list_pictures(folder):
            raise InputError("no pictures there", where=folder, expected=", ".join(ENDINGS))
    if paired:
        names = match_names(first, second)
        return [first / name for name, _ in names], [second / name for _, name in names]
    return _list_sorted(first), _list_sorted(second)


def _list_sorted(folder: Path) -> list[Path]:
    return [folder / name for name in sorted(list_pictures(folder))]


def _have_same_names(first: Path, second: Path) -> bool:
    try:
        return bool(match_names(first, second))
    except InputError:
        return False


def _find_panels(folder: Path, stains: tuple[str, str]) -> Sides:
    """Find `NAME_SOURCE.png` and `NAME_TARGET.png` of every name."""
    names = list_pictures(folder)
    sources = sorted(name for name in names if Path(name).stem.endswith(f"_{stains[0]}"))
    if not sources:
        raise InputError(
            "not a known layout of tiles",
            where=folder,
            expected="HE/train + IHC/train; trainA + trainB; A + B; "
            "NAME_SOURCE.png + NAME_TARGET.png",
            got=f"{len(names)} pictures",
            remedy="name panels with --source and --target, or two folders with a comma between",
        )
    targets = [_target_panel(name, stains, names) for name in sources]
    missing = [name for name in targets if name not in names]
    if missing:
        raise InputError(
            "a picture without its partner", where=folder / missing[0], got=len(missing)
        )
    return [folder / name for name in sources], [folder / name for name in targets]


def _target_panel(name: str, stains: tuple[str, str], names: set[str]) -> str:
    """Return the panel of the same ending, else the only one of another."""
    path = Path(name)
    stem = path.stem.removesuffix(stains[0]) + stains[1]
    others = [other for other in names if Path(other).stem == stem]
    same = stem + path.suffix
    return others[0] if len(others) == 1 and same not in names else same


def _split_sides(sides: Sides, paired: bool) -> tuple[Sides, Sides, str]:
    """Split off the last fifth for validation; tiles that overlap it are not trained on.

    Returns training files, validation files, and a note for the user.
    """
    sources, targets = sides
    if not paired:
        source_split = _split_sides((sources, sources), True)
        target_split = _split_sides((targets, targets), True)
        training = source_split[0][0], target_split[0][0]
        validation = source_split[1][0], target_split[1][0]
        return training, validation, source_split[2]
    split = split_validation(list(zip(sources, targets, strict=True)), from_end=True)
    if split.is_shared:
        return sides, sides, "one picture is too few to split: it is validated on, too"
    validation = _unzip(split.validation)
    clear = _without_overlap([source for source, _ in split.training], validation[0])
    training = _unzip([pair for pair in split.training if pair[0] in clear])
    count = len(split.validation)
    return training, validation, f"the last {count} of {len(sources)} pictures are held out"


def _unzip(pairs: Sequence[tuple[Path, Path]]) -> Sides:
    return [source for source, _ in pairs], [target for _, target in pairs]


def _without_overlap(paths: list[Path], validation: list[Path]) -> set[Path]:
    """Return the tiles that overlap no validation tile, as far as names tell their positions."""
    with PIL.Image.open(validation[0]) as picture:
        side = max(picture.size)
    positions = [position for path in validation if (position := _position(path)) is not None]
    return {
        path
        for path in paths
        if not any(_overlap(_position(path), position, side) for position in positions)
    }


def _position(path: Path) -> tuple[str, int, int] | None:
    match = POSITION.match(path.stem)
    return (match[1], int(match[2]), int(match[3])) if match else None


def _overlap(a: tuple[str, int, int] | None, b: tuple[str, int, int], side: int) -> bool:
    return a is not None and a[0] == b[0] and abs(a[1] - b[1]) < side and abs(a[2] - b[2]) < side
