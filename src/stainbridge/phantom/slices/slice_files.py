"""Write slices as a data set: pictures, masks, tissue classes and landmarks in folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image

from stainbridge.geometry.landmarks import Landmarks, write_points_csv
from stainbridge.phantom.slices.rendered import RenderedSlice, render_sides
from stainbridge.phantom.slices.slice_pair import SlicePair

#: What is written of each side, as endings of its folder's name.
_KINDS = ("", "_mask", "_labels", "_landmarks")
#: The folders of a stack: pictures, masks, labels and landmarks of both sides.
SLICE_FOLDERS = tuple(f"{side}{kind}" for side in ("fixed", "moving") for kind in _KINDS)
_UM_PER_INCH = 25400.0


def write_slice_files(pair: SlicePair, folder: Path) -> None:
    """Draw a slice and write it into the sub-folders `SLICE_FOLDERS`.

    All pictures are PNGs of the slice's name with its pixel size: RGB, masks of 0 and 255, and
    labels (numbers of `classes.CLASS_NAMES`). Landmarks are ANHIR CSVs whose rows correspond.
    """
    for sub_folder in SLICE_FOLDERS:
        (folder / sub_folder).mkdir(exist_ok=True)
    fixed, moving = render_sides(pair)
    _write_side(fixed, pair.fixed_landmarks, folder, "fixed", pair.name)
    _write_side(moving, pair.moving_landmarks, folder, "moving", pair.name)


def _write_side(
    side: RenderedSlice, landmarks: Landmarks, folder: Path, side_name: str, name: str
) -> None:
    picture = np.moveaxis(side.picture, 0, -1)
    _write_png(folder / side_name / f"{name}.png", picture, side.mpp)
    _write_png(folder / f"{side_name}_mask" / f"{name}.png", side.mask, side.mpp)
    _write_png(folder / f"{side_name}_labels" / f"{name}.png", side.labels, side.mpp)
    table = folder / f"{side_name}_landmarks" / f"{name}.csv"
    write_points_csv(table, landmarks.points_px, landmarks.labels)


def _write_png(path: Path, pixels: npt.NDArray[np.uint8], mpp: float) -> None:
    """Write (H, W) or (H, W, 3) with its pixel size, which PNGs hold as a resolution."""
    dots_per_inch = _UM_PER_INCH / mpp
    PIL.Image.fromarray(pixels).save(path, dpi=(dots_per_inch, dots_per_inch))


def describe_slice(pair: SlicePair) -> dict[str, Any]:
    """Return what was generated as plain values; distances are those of landmarks as they lie."""
    fixed_um = pair.fixed_landmarks.points_um
    distances_um = np.hypot(*(pair.moving_landmarks.points_um - fixed_um).T)
    deformation = pair.moving.deformation
    return {
        "name": pair.name,
        "depth_um": pair.fixed.section.distance_um,
        "rotation_deg": deformation.rotation_deg,
        "scale": deformation.scale,
        "elastic_um": deformation.elastic_um,
        "tears": len(deformation.tears),
        "folds": len(deformation.folds),
        "holes": len(pair.moving.holes),
        "landmarks": len(fixed_um),
        "distance_um": float(np.median(distances_um)) if len(fixed_um) else None,
    }
