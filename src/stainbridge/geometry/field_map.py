"""Where output pixels lie in a source grid, pixel by pixel, for the transform that registration makes: one field."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.scratch import Scratch
from stainbridge.geometry.transform import Affine, DisplacementField, Transform, parts
from stainbridge.types import Matrix

#: A field whose nodes are closer than this to each other, in pixels of the output, is left to a lattice.
CLOSEST_NODES_PX = 8


def field_map(
    transform: Transform, patch: Frame, grid: Frame, origin: tuple[int, int], scratch: Scratch
) -> npt.NDArray[np.float32] | None:
    """The map of `source_map` at every pixel, exact to about 1e-3 pixels; None where this shortcut does not hold.

    It holds for a displacement field followed by affine maps. Between two rows of the field's own nodes such a map is
    linear down each column, kinks and all; a lattice that does not know where those rows are needs far more nodes.
    The map lies in `scratch`.
    """
    field, *rest = parts(transform)
    if not isinstance(field, DisplacementField) or not all(isinstance(member, Affine) for member in rest):
        return None
    close = min(np.divide(field.grid.mpp, patch.mpp)) < CLOSEST_NODES_PX
    if close or min(field.grid.height, field.grid.width) < 2:
        return None
    after = np.linalg.inv(_um_from_index(grid)) @ _product(rest)
    left, column_part = _between_nodes(patch, field.grid, 0)
    upper, row_part = _between_nodes(patch, field.grid, 1)
    affine = after @ _um_from_index(patch)
    out = scratch.array("coords", (2, patch.height, patch.width), np.float32)
    starts = [0, *(np.flatnonzero(np.diff(upper)) + 1).tolist(), patch.height]
    for first, stop in pairwise(starts):
        # (2, 2, W): dx, dy in the node rows above and below, at the columns of the patch
        nodes = field.displacement[:, upper[first] : upper[first] + 2].astype(float)
        rows_um = nodes[..., left] * (1 - column_part) + nodes[..., left + 1] * column_part
        above, below = np.tensordot(after[:2, :2], rows_um, axes=1).swapaxes(0, 1)
        for axis in (0, 1):
            a, b, c = affine[axis]
            level = above[axis] + a * np.arange(patch.width) + (c - origin[axis])
            slope = (below[axis] - above[axis]).astype(np.float32)
            part = out[axis, first:stop]
            np.multiply(row_part[first:stop, None].astype(np.float32), slope, out=part)
            part += level.astype(np.float32)
            part += (b * np.arange(first, stop))[:, None].astype(np.float32)
    return out


def _between_nodes(patch: Frame, nodes: Frame, axis: int) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.float64]]:
    """Of each column (axis 0) or row (axis 1) of `patch`: the node before it, and how far it is to the next, 0 to 1.

    Outside the nodes it is on the outermost one.
    """
    count = (nodes.width, nodes.height)[axis]
    pixels = np.arange((patch.width, patch.height)[axis])
    um = patch.origin_um[axis] + (pixels + 0.5) * patch.mpp[axis]
    index = np.clip((um - nodes.origin_um[axis]) / nodes.mpp[axis] - 0.5, 0, count - 1)
    before = np.minimum(index.astype(int), count - 2)
    return before, index - before


def _product(members: list[Transform]) -> Matrix:
    """One matrix for affine maps applied first to last."""
    matrix: Matrix = np.eye(3)
    for member in members:
        assert isinstance(member, Affine)
        matrix = member.matrix @ matrix
    return matrix


def _um_from_index(frame: Frame) -> Matrix:
    """(3, 3): from column and row, counted at pixel centres, to µm."""
    (x, y), (mpp_x, mpp_y) = frame.origin_um, frame.mpp
    return np.array([[mpp_x, 0, x + mpp_x / 2], [0, mpp_y, y + mpp_y / 2], [0, 0, 1]])
