"""Slices of an MRI (fixed) and of histology (moving), paired by file name.

Casamitjana et al. 2022, "Robust joint registration of multiple stains and MRI for multimodal 3D
histology reconstruction", doi:10.1016/j.media.2021.102265: `mri`, `histo_affine`, and `_mask` or
`_labels` of each.
"""

from __future__ import annotations

from pathlib import Path

from stainbridge.datasets.layout import DataSetLayout
from stainbridge.datasets.tiles import match_names
from stainbridge.slides.case import Case

#: The folder of the fixed slices.
FIXED = "mri"
#: The folder of the moving slices; the first that exists.
MOVING = ("histo_affine", "histo")
#: What ends the names of folders with masks.
MASKS = ("mask", "labels")


def find(path: Path) -> Path | None:
    """Return the folder, where it has both kinds of slices, or None."""
    has_moving = any((path / name).is_dir() for name in MOVING)
    return path if (path / FIXED).is_dir() and has_moving else None


def read(folder: Path) -> list[Case]:
    """Read a case for each slice, with masks; labels are masks, too.

    Raises `InputError` for a slice without its partner.
    """
    fixed = folder / FIXED
    moving = next(folder / name for name in MOVING if (folder / name).is_dir())
    return [
        Case.from_files(
            Path(name).stem,
            fixed / name,
            moving / name,
            fixed_mask=_find_mask(fixed, name),
            moving_mask=_find_mask(moving, name),
            fixed_labels=_find_picture(fixed, "labels", name),
            moving_labels=_find_picture(moving, "labels", name),
        )
        for name in match_names(fixed, moving)
    ]


def _find_mask(slices: Path, name: str) -> Path | None:
    pictures = (_find_picture(slices, kind, name) for kind in MASKS)
    return next((path for path in pictures if path is not None), None)


def _find_picture(slices: Path, kind: str, name: str) -> Path | None:
    """Return the picture of a slice in the folder `…_kind`, or None."""
    path = slices.with_name(f"{slices.name}_{kind}") / name
    return path if path.is_file() else None


LAYOUT = DataSetLayout("slices", "mri/ + histo_affine/", find, read)
