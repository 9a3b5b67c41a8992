"""The patches of tissue on which registered pairs are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.ranges import PartialShare, PixelSize, Within, check_ranges
from stainbridge.types import Mask


@dataclass(frozen=True)
class MeasureConfig:
    """How patches and blocks are chosen.

    CycGANRegNet's patches are 1024 px of a 40x scan, resized to 256 px: `patch_px` 256 at `mpp` 1.
    Raises `InputError` for values out of range.
    """

    patch_px: Annotated[int, Within(16, 8192)] = 256
    """Side of a patch in pixels."""
    mpp: PixelSize | None = None
    """Pixel size of patches in µm; None is the fixed slide's full resolution."""
    min_tissue: PartialShare = 0.7
    """A patch has more than this share of tissue."""
    max_patches: Annotated[int, Within(1, 1_000_000)] = 64
    """Of more patches of a slide, this many are taken, evenly."""
    block_px: Annotated[int, Within(64, 16384)] = 1024
    """Longest side in pixels of the block of tissue."""

    def __post_init__(self) -> None:
        check_ranges(self)


def choose_patches(frame: Frame, tissue: Mask, grid: Frame, config: MeasureConfig) -> list[Frame]:
    """Return frames of the patches of a fixed slide that hold enough tissue, row by row.

    `frame` is the slide's full-resolution frame. `tissue` (H, W) lies on `grid`, which covers the
    slide. Patches stand side by side from the slide's corner; those cut by its edge are left out.
    """
    whole = frame if config.mpp is None else frame.at_mpp(config.mpp)
    side = config.patch_px
    corners = [
        (x, y)
        for y in range(0, whole.height - side + 1, side)
        for x in range(0, whole.width - side + 1, side)
    ]
    patches = [whole.crop(x, y, side, side) for x, y in corners]
    chosen = [patch for patch in patches if tissue_share(patch, tissue, grid) > config.min_tissue]
    count = min(len(chosen), config.max_patches)
    return [chosen[number * len(chosen) // count] for number in range(count)]


def tissue_share(patch: Frame, tissue: Mask, grid: Frame) -> float:
    """Return the share of a patch that is tissue; `tissue` (H, W) lies on `grid`."""
    corners_px = np.rint(grid.to_px(patch.corners_um)).astype(int)
    left, top = np.clip(corners_px.min(axis=0), 0, (grid.width - 1, grid.height - 1))
    right, bottom = np.maximum(corners_px.max(axis=0), (left + 1, top + 1))
    return float(tissue[top:bottom, left:right].mean())
