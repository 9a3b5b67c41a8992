"""Files of pictures of two stains to train a translation on, whatever their layout, and which are
held out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import PIL.Image

from stainbridge.datasets.tiles import ENDINGS, FOLDERS, pictures_in, same_names
from stainbridge.errors import InputError, MissingFileError
from stainbridge.translation.training.picture_stream import Pictures

#: One in so many is held out where the data have no split of their own.
HELD_ONE_IN = 5
#: Names of tiles that end in their place on the slide.
PLACED = re.compile(r"(.*)_(\d+)_(\d+)$")

Sides = tuple[list[Path], list[Path]]


@dataclass(frozen=True)
class PictureSet:
    """What is trained on, what is measured on, and what to know about it."""

    training: Pictures
    held: Pictures
    note: str = ""


def read_pictures(
    data: str, stains: tuple[str, str], paired: bool, reverse: bool = False
) -> PictureSet:
    """The pictures of `data`, as pairs where that is wanted.

    `data` is a folder in one of the layouts of `datasets.tiles` (`HE/train`, `IHC/train`, ...;
    `trainA`, `trainB`, ...; `A`, `B`), a folder of panels (`NAME_HE.png`, `NAME_DAPI.png`, ... of
    which `stains` are taken), or two folders with a comma between, of which only an objective that
    needs pairs takes files of one name to show one place. `reverse` makes the second the source.
    Raises `InputError` for anything else, and for pictures without partners.
    """
    sides, held, aligned = _sides(data, stains, paired)
    note = ""
    if held is None:
        sides, held, note = _apart(sides, paired or aligned)
    if reverse:
        sides, held = sides[::-1], held[::-1]
    training = Pictures(tuple(sides[0]), tuple(sides[1]), paired)
    return PictureSet(training, Pictures(tuple(held[0]), tuple(held[1]), paired or aligned), note)


def _sides(data: str, stains: tuple[str, str], paired: bool) -> tuple[Sides, Sides | None, bool]:
    """Files to train on, files that are kept out where the data say so, and whether these
    correspond.
    """
    if "," in data:
        first, second = (Path(name.strip()) for name in data.split(",", 1))
        return _listed(first, second, paired), None, False
    folder = Path(data)
    if not folder.is_dir():
        raise MissingFileError("no such folder of pictures", where=folder)
    splits = {
        split: (folder / a, folder / b)
        for split, a, b in reversed(FOLDERS)
        if pictures_in(folder / a)
    }
    if not splits:
        return _panels(folder, stains), None, True
    training = splits.get("train") or splits.get("")
    if training is None:
        raise InputError("no pictures to train on", where=folder, expected="HE/train, trainA or A")
    held = splits.get("val") or splits.get("test")
    if held is None:
        return _listed(*training, paired), None, _aligned(*training)
    aligned = _aligned(*held)
    return _listed(*training, paired), _listed(*held, paired or aligned), aligned


def _listed(first: Path, second: Path, paired: bool) -> Sides:
    """The pictures of two folders in order, of the same names where they are `paired`."""
    for folder in (first, second):
        if not pictures_in(folder):
            raise InputError("no pictures there", where=folder, expected=", ".join(ENDINGS))
    if paired:
        names = same_names(first, second)
        return [first / name for name in names], [second / name for name in names]
    return [first / n for n in sorted(pictures_in(first))], [
        second / n for n in sorted(pictures_in(second))
    ]


def _aligned(first: Path, second: Path) -> bool:
    return pictures_in(first) == pictures_in(second)


def _panels(folder: Path, stains: tuple[str, str]) -> Sides:
    """`NAME_SOURCE.png` and `NAME_TARGET.png` of every name."""
    names = pictures_in(folder)
    sources = sorted(name for name in names if Path(name).stem.endswith(f"_{stains[0]}"))
    if not sources:
        raise InputError(
            "no layout of tiles that is known here",
            where=folder,
            expected="HE/train + IHC/train; trainA + trainB; A + B; NAME_SOURCE.png + NAME_TARGET.png",
            got=f"{len(names)} pictures",
            remedy="name panels with --source and --target, or two folders with a comma between",
        )
    targets = [_partner(name, stains) for name in sources]
    missing = [name for name in targets if name not in names]
    if missing:
        raise InputError(
            "a picture without its partner", where=folder / missing[0], got=len(missing)
        )
    return [folder / name for name in sources], [folder / name for name in targets]


def _partner(name: str, stains: tuple[str, str]) -> str:
    path = Path(name)
    return path.stem.removesuffix(stains[0]) + stains[1] + path.suffix


def _apart(sides: Sides, paired: bool) -> tuple[Sides, Sides, str]:
    """The last fifth held out, and none of the others that overlap it."""
    if paired:
        count = len(sides[0])
        kept = max(1, count // HELD_ONE_IN)
        if count - kept < 1:
            return sides, sides, "one picture is too few to keep some out: it is measured on too"
        first = _clear_of(sides[0][-kept:], sides[0][:-kept])
        chosen = [number for number, path in enumerate(sides[0]) if path in first]
        training = [sides[0][n] for n in chosen], [sides[1][n] for n in chosen]
        return (
            training,
            (sides[0][-kept:], sides[1][-kept:]),
            f"the last {kept} of {count} pictures are held out",
        )
    halves = [_apart((side, side), True) for side in sides]
    return (halves[0][0][0], halves[1][0][0]), (halves[0][1][0], halves[1][1][0]), halves[0][2]


def _clear_of(held: list[Path], others: list[Path]) -> set[Path]:
    """Those of `others` that do not overlap a held-out tile, as far as names say where tiles lie."""
    with PIL.Image.open(held[0]) as picture:
        side = max(picture.size)
    places = [place for path in held if (place := _place(path)) is not None]
    return {
        path for path in others if not any(_overlap(_place(path), place, side) for place in places)
    }


def _place(path: Path) -> tuple[str, int, int] | None:
    found = PLACED.match(path.stem)
    return (found[1], int(found[2]), int(found[3])) if found else None


def _overlap(a: tuple[str, int, int] | None, b: tuple[str, int, int], side: int) -> bool:
    return a is not None and a[0] == b[0] and abs(a[1] - b[1]) < side and abs(a[2] - b[2]) < side
