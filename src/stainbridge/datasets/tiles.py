"""Paired tiles in folders, as in BCI and MIST.

BCI has `HE` and `IHC` with `train` and `test`; MIST `trainA`, `trainB`, `valA`, `valB`; others `A`
and `B`.

Liu et al. 2022, "BCI: breast cancer immunohistochemical image generation through pyramid pix2pix",
arXiv:2204.11425; Li et al. 2023, "Adaptive supervised PatchNCE loss" (MIST), arXiv:2303.06193.
Files of one name, whatever their endings, show one place: H&E is fixed, the IHC moving.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stainbridge.datasets.files import list_files
from stainbridge.datasets.layout import DataSetLayout
from stainbridge.errors import InputError
from stainbridge.slides.case import Case

#: Split, fixed folder, moving folder.
FOLDERS = (
    *((split, f"HE/{split}", f"IHC/{split}") for split in ("train", "val", "test")),
    *((split, f"{split}A", f"{split}B") for split in ("train", "val", "test")),
    *((split, f"A/{split}", f"B/{split}") for split in ("train", "val", "test")),
    ("", "A", "B"),
)
#: Endings of tiles.
ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".jp2", ".j2k")
#: Most pictures without their partners that a message lists.
_LISTED_PICTURES = 4


@dataclass(frozen=True)
class TileFiles:
    """The files of one tile in both stains."""

    name: str
    """Split and file name, such as `train/00001`."""
    fixed: Path
    """The tile in the first stain, H&E."""
    moving: Path
    """The same place in the second stain."""


def find(path: Path) -> Path | None:
    """Return the folder, where it has both sides of a split, or None."""
    has_tiles = any(
        list_pictures(path / fixed) and (path / moving).is_dir() for _, fixed, moving in FOLDERS
    )
    return path if has_tiles else None


def read(folder: Path) -> list[Case]:
    """Read a case for each tile; raise `InputError` for a tile without its partner."""
    return [Case.from_files(tile.name, tile.fixed, tile.moving) for tile in read_tiles(folder)]


def read_tiles(folder: Path) -> list[TileFiles]:
    """Read the tiles of all splits; raise `InputError` for a tile without its partner."""
    return [
        TileFiles(
            f"{split}/{Path(name).stem}".lstrip("/"), folder / fixed / name, folder / moving / other
        )
        for split, fixed, moving in FOLDERS
        if list_pictures(folder / fixed) or list_pictures(folder / moving)
        for name, other in match_names(folder / fixed, folder / moving)
    ]


def match_names(first: Path, second: Path) -> list[tuple[str, str]]:
    """Return the names of the pictures that show one place in both folders, sorted.

    Names are the same, or differ in their ending only where that is clear. Raises `InputError` when
    one folder has pictures that the other has not.
    """
    names = list_pictures(first)
    others = list_pictures(second)
    matched = {name: name for name in names & others}
    by_stem = _index_stems(others - names)
    for stem, name in _index_stems(names - others).items():
        if stem in by_stem:
            matched[name] = by_stem[stem]
    unmatched = [first / name for name in names - set(matched)]
    unmatched += [second / name for name in others - set(matched.values())]
    if unmatched:
        paths = sorted(unmatched, key=lambda path: path.name)
        raise InputError(
            "a picture without its partner",
            where=paths[0],
            expected=f"the same names in {first.name} and {second.name}",
            got=_list_unmatched(paths),
        )
    if not names:
        raise InputError("no pictures", where=first, expected=", ".join(ENDINGS))
    return sorted(matched.items())


def _index_stems(names: set[str]) -> dict[str, str]:
    """Return the names by what stands before their ending; none that two names share."""
    counts = Counter(Path(name).stem for name in names)
    return {Path(name).stem: name for name in names if counts[Path(name).stem] == 1}


def _list_unmatched(paths: Sequence[Path]) -> str:
    """Return how many pictures have no partner, and which, the first of many."""
    listed = ", ".join(f"{path.parent.name}/{path.name}" for path in paths[:_LISTED_PICTURES])
    more = ", …" if len(paths) > _LISTED_PICTURES else ""
    return f"{len(paths)} without: {listed}{more}"


def list_pictures(folder: Path) -> set[str]:
    """Return the names of the pictures in a folder; none where there is no folder."""
    return {path.name for path in list_files(folder, ENDINGS)}


LAYOUT = DataSetLayout("tiles", "HE/train + IHC/train, trainA + trainB, A + B", find, read)
