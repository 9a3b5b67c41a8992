"""Where output pixels lie in a source grid: a transform sampled on a lattice, interpolated between
its nodes.
"""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.geometry.field_map import map_through_field
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.scratch import Scratch
from stainbridge.geometry.transform import Transform

#: (2, H, W) float32: x and y in pixels of the source grid, 0 = the centre of the pixel at the map's
#: origin.
SourceMap: TypeAlias = npt.NDArray[np.float32]
Nodes: TypeAlias = npt.NDArray[
    np.float64
]  # (2, rows, columns): x and y in pixels of the source grid

COARSEST_STEP_PX = 32
ORIGIN_MARGIN_PX = 8
FAR_PX = (
    1e6  # coordinates are held to ± this: still far outside any slide, and exact enough in float32
)


def map_to_source(
    transform: Transform,
    patch: Frame,
    grid: Frame,
    tolerance_px: float = 0.05,
    scratch: Scratch | None = None,
) -> tuple[tuple[int, int], SourceMap]:
    """The pixels of `grid` that the pixel centres of `patch` fall on, as an integer origin (x, y)
    and a map from it.

    Exact for a displacement field and affine maps after it (`field_map`). Any other transform is
    evaluated every 16 pixels of `patch`, and more densely where the lattice one step coarser
    mispredicts that by more than half the tolerance, down to every pixel; interpolation errs by at
    most about `tolerance_px` source pixels. The origin keeps float32 coordinates small. Where the
    transform is not finite the map points far outside. The map lies in `scratch`.
    """
    scratch = scratch or Scratch()
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        origin = _origin(grid.to_px(transform(patch.corners_um)).T, grid)
    exact = map_through_field(transform, patch, grid, origin, scratch)
    if exact is not None:
        return origin, exact
    nodes, step = _sufficient_nodes(transform, patch, grid, tolerance_px)
    local = np.clip(nodes - np.reshape(origin, (2, 1, 1)), -FAR_PX, FAR_PX).astype(np.float32)
    shape = (2, local.shape[1] * step, local.shape[2] * step)
    dense = scratch.array("coords", shape, np.float32)
    for plane, sparse in zip(dense, local, strict=True):
        _upsample(sparse, step, plane)
    return origin, dense[:, step : step + patch.height, step : step + patch.width]


def _origin(px: npt.NDArray[np.float64], grid: Frame) -> tuple[int, int]:
    """A little less than the least of the pixels (2, N) that the map points to, or the closest one
    inside the grid.
    """
    low = np.clip(
        np.floor(np.nan_to_num(px).min(axis=1)) - ORIGIN_MARGIN_PX, 0, (grid.width, grid.height)
    )
    return int(low[0]), int(low[1])


def _sufficient_nodes(
    transform: Transform, patch: Frame, grid: Frame, tolerance_px: float
) -> tuple[Nodes, int]:
    """The coarsest lattice that its own coarser neighbour predicts, and its step in pixels."""
    step = COARSEST_STEP_PX
    nodes = _nodes(transform, patch, grid, step)
    while step > 1:
        step //= 2
        coarse, nodes = nodes, _nodes(transform, patch, grid, step)
        # A kink close to a node costs up to twice what is seen at the nodes between.
        if _misprediction(coarse, nodes) <= tolerance_px / 2:
            break
    return nodes, step


def _misprediction(coarse: Nodes, fine: Nodes) -> float:
    """The largest difference, in pixels, of the lattice of half the step from what the coarser one
    says there.
    """
    predicted = np.stack([_upsample(plane, 2) for plane in coarse])
    return float(np.abs(predicted[:, 1 : 1 + fine.shape[1], 1 : 1 + fine.shape[2]] - fine).max())


def _nodes(transform: Transform, patch: Frame, grid: Frame, step: int) -> Nodes:
    """The transform at the centres of the `step` x `step` cells of `patch`, and of one ring of
    cells around it.
    """
    x = (np.arange(-1, -(-patch.width // step) + 1) + 0.5) * step
    y = (np.arange(-1, -(-patch.height // step) + 1) + 0.5) * step
    points = patch.to_um(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        px = grid.to_px(transform(points)) - 0.5
    px = np.where(np.isfinite(px).all(axis=1, keepdims=True), px, -1e9)
    return np.ascontiguousarray(px.T.reshape(2, len(y), len(x)))


def _upsample(
    plane: npt.NDArray[np.floating], factor: int, out: npt.NDArray[np.floating] | None = None
) -> npt.NDArray[np.floating]:
    """Bilinear interpolation from cell centres to the centres of `factor` x `factor` sub-cells."""
    # cv2.resize puts samples at cell centres, which is what the nodes are; it computes in the
    # array's own precision.
    size = (plane.shape[1] * factor, plane.shape[0] * factor)
    return np.asarray(cv2.resize(plane, size, dst=out, interpolation=cv2.INTER_LINEAR))
