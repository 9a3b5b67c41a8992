"""The map from output pixels to source pixels: a transform sampled on a lattice."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.geometry.field_map import map_through_field
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.scratch import Scratch
from stainbridge.geometry.source_map import Nodes, SourceMap, locate_between_nodes
from stainbridge.geometry.transform import Transform

#: Distance of the nodes of the first lattice that is tried, in output pixels.
COARSEST_STEP_PX = 32
#: The origin lies this far before the corners' first source pixel, since edges may curve beyond it.
ORIGIN_MARGIN_PX = 8
#: Coordinates are clipped to ± this: outside any slide, and still exact enough in float32.
FAR_OUTSIDE_PX = 1e6
#: What stands for a coordinate that is not finite, in source pixels.
NOT_FINITE_PX = -1e9


def map_to_source(
    transform: Transform,
    patch: Frame,
    grid: Frame,
    tolerance_px: float = 0.05,
    scratch: Scratch | None = None,
) -> SourceMap:
    """Return the pixels of `grid` that the pixel centres of `patch` fall on.

    The map counts from an integer origin, which keeps float32 coordinates small. It is exact for a
    displacement field followed by affine maps (`map_through_field`). Any other transform is
    evaluated every 16 pixels of `patch`. Where the lattice one step coarser mispredicts that by
    more than half the tolerance it is evaluated more densely, down to every pixel. Interpolation
    errs by at most about `tolerance_px` source pixels. Where the transform is not finite the map
    points far outside. The map is drawn in `scratch`.
    """
    scratch = scratch or Scratch()
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        origin = _origin(grid.to_px(transform(patch.corners_um)).T, grid)
    exact = map_through_field(transform, patch, grid, origin, scratch)
    if exact is not None:
        return exact
    nodes, step = _sample_sufficiently(transform, patch, grid, tolerance_px)
    # Nodes are at the centres of cells; the first ring of cells lies before the patch.
    (down, rows), (across, columns) = (
        locate_between_nodes((np.arange(pixels) + 0.5) / step + 0.5, count)
        for pixels, count in zip((patch.height, patch.width), nodes.shape[1:], strict=True)
    )
    local = nodes[:, rows, columns] - np.reshape(origin, (2, 1, 1))
    local = np.clip(local, -FAR_OUTSIDE_PX, FAR_OUTSIDE_PX)
    return SourceMap(down, across, local, np.zeros((2, 3)), origin, scratch)


def _origin(px: npt.NDArray[np.float64], grid: Frame) -> tuple[int, int]:
    """Return the first of the pixels (2, N) less a margin, moved inside the grid."""
    low = np.clip(
        np.floor(np.nan_to_num(px).min(axis=1)) - ORIGIN_MARGIN_PX, 0, (grid.width, grid.height)
    )
    return int(low[0]), int(low[1])


def _sample_sufficiently(
    transform: Transform, patch: Frame, grid: Frame, tolerance_px: float
) -> tuple[Nodes, int]:
    """Return the coarsest lattice that a still coarser one predicts, and its step in pixels."""
    step = COARSEST_STEP_PX
    nodes = _sample_nodes(transform, patch, grid, step)
    while step > 1:
        step //= 2
        coarser = nodes
        nodes = _sample_nodes(transform, patch, grid, step)
        # A kink close to a node costs up to twice what is seen at the nodes between.
        if _misprediction(coarser, nodes) <= tolerance_px / 2:
            break
    return nodes, step


def _misprediction(coarse: Nodes, fine: Nodes) -> float:
    """Return how far, in pixels, the lattice of half the step is from the coarse one at most."""
    predicted = np.stack([_upsample(plane, 2) for plane in coarse])
    return float(np.abs(predicted[:, 1 : 1 + fine.shape[1], 1 : 1 + fine.shape[2]] - fine).max())


def _sample_nodes(transform: Transform, patch: Frame, grid: Frame, step: int) -> Nodes:
    """Map the centres of the `step` x `step` cells of `patch` and of one ring of cells around."""
    x = (np.arange(-1, -(-patch.width // step) + 1) + 0.5) * step
    y = (np.arange(-1, -(-patch.height // step) + 1) + 0.5) * step
    points = patch.to_um(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        px = grid.to_px(transform(points)) - 0.5
    px = np.where(np.isfinite(px).all(axis=1, keepdims=True), px, NOT_FINITE_PX)
    return np.ascontiguousarray(px.T.reshape(2, len(y), len(x)))


def _upsample(plane: npt.NDArray[np.float64], factor: int) -> npt.NDArray[np.float64]:
    """Interpolate linearly from cell centres to the centres of `factor` x `factor` sub-cells."""
    # cv2.resize puts samples at cell centres, which is what the nodes are; it computes in the
    # array's own precision.
    size = (plane.shape[1] * factor, plane.shape[0] * factor)
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR))
