"""Paired tiles in folders, as in BCI and MIST.

BCI has `HE` and `IHC` with `train` and `test`; MIST `trainA`, `trainB`, `valA`, `valB`; others `A`
and `B`.

Liu et al. 2022, "BCI: breast cancer immunohistochemical image generation through pyramid pix2pix",
arXiv:2204.11425; Li et al. 2023, "Adaptive supervised PatchNCE loss" (MIST), arXiv:2303.06193.
Files of one name, whatever their endings, show one place: H&E is fixed, the IHC moving.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stainbridge.datasets.layout import DataSetLayout
from stainbridge.datasets.picture_names import list_pictures, match_names
from stainbridge.slides.case import Case

#: Split, fixed folder, moving folder.
FOLDERS = (
    *((split, f"HE/{split}", f"IHC/{split}") for split in ("train", "val", "test")),
    *((split, f"{split}A", f"{split}B") for split in ("train", "val", "test")),
    *((split, f"A/{split}", f"B/{split}") for split in ("train", "val", "test")),
    ("", "A", "B"),
)


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


LAYOUT = DataSetLayout("tiles", "HE/train + IHC/train, trainA + trainB, A + B", find, read)
