"""Slices of an MRI (fixed) and of histology (moving), a folder each, paired by file name; masks or
labels beside them.

Casamitjana et al. 2022, "Robust joint registration of multiple stains and MRI for multimodal 3D
histology reconstruction", doi:10.1016/j.media.2021.102265: `mri`, `histo_affine`, and `_mask` or
`_labels` of each.
"""

from __future__ import annotations

from pathlib import Path

from stainbridge.datasets.tiles import same_names
from stainbridge.slides.case import Case

FIXED = "mri"
MOVING = ("histo_affine", "histo")
MASKS = ("mask", "labels")


def find(path: Path) -> Path | None:
    """The folder, where it has both kinds of slices."""
    return (
        path if (path / FIXED).is_dir() and any((path / name).is_dir() for name in MOVING) else None
    )


def read(folder: Path) -> list[Case]:
    """A case a slice, with masks (labels are masks too); raises `InputError` for a slice without
    its partner.
    """
    fixed = folder / FIXED
    moving = next(folder / name for name in MOVING if (folder / name).is_dir())
    return [
        Case.from_files(
            Path(name).stem,
            fixed / name,
            moving / name,
            fixed_mask=_mask(fixed, name),
            moving_mask=_mask(moving, name),
        )
        for name in same_names(fixed, moving)
    ]


def _mask(slices: Path, name: str) -> Path | None:
    candidates = (slices.with_name(f"{slices.name}_{kind}") / name for kind in MASKS)
    return next((path for path in candidates if path.is_file()), None)
