"""Where output pixels lie in a source grid, pixel by pixel, for the transform that registration
makes: one field.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.scratch import Scratch
from stainbridge.geometry.transform import Affine, DisplacementField, Transform, split_chain
from stainbridge.types import Matrix

#: A field whose nodes are closer than this to each other, in pixels of the output, is left to a
#: lattice.
CLOSEST_NODES_PX = 8


def map_through_field(
    transform: Transform, patch: Frame, grid: Frame, origin: tuple[int, int], scratch: Scratch
) -> npt.NDArray[np.float32] | None:
    """The map of `source_map` at every pixel, exact to about 1e-3 pixels; None where this shortcut
    does not hold.

    It holds for a displacement field followed by affine maps. Between two rows of the field's own
    nodes such a map is linear down each column, kinks and all; a lattice that does not know where
    those rows are needs far more nodes. The map lies in `scratch`.
    """
    field, *rest = split_chain(transform)
    if not isinstance(field, DisplacementField) or not all(
        isinstance(member, Affine) for member in rest
    ):
        return None
    if min(np.divide(field.grid.mpp, patch.mpp)) < CLOSEST_NODES_PX:
        return None
    after = np.linalg.inv(_um_from_index(grid)) @ _product(rest)
    affine = after @ _um_from_index(patch) - [[0, 0, origin[0]], [0, 0, origin[1]], [0, 0, 0]]
    left, right, across = _between_nodes(patch, field.grid, 0)
    upper, lower, down = _between_nodes(patch, field.grid, 1)

    breaks = (np.flatnonzero(np.diff(upper) | np.diff(lower)) + 1).tolist()
    runs = list(pairwise([0, *breaks, patch.height]))
    rows = np.array([row for first, stop in runs for row in (first, stop - 1)])
    near = field.displacement[:, :, left[0] : right[-1] + 1]
    nodes = near[:, upper[rows]] * (1 - down[rows, None]) + near[:, lower[rows]] * down[rows, None]
    moved = nodes[..., left - left[0]] * (1 - across) + nodes[..., right - left[0]] * across
    known = np.tensordot(after[:2, :2], moved, axes=1)  # (2, rows, W)
    for plane, (a, b, c) in zip(known, affine[:2], strict=True):
        plane += a * np.arange(patch.width) + (b * rows[:, None] + c)

    out = scratch.array("coords", (2, patch.height, patch.width), np.float32)
    for index, (first, stop) in enumerate(runs):
        fraction = (np.arange(stop - first, dtype=np.float32) / max(1, stop - first - 1))[:, None]
        for plane, known_plane in zip(out[:, first:stop], known, strict=True):
            begin, end = known_plane[2 * index], known_plane[2 * index + 1]
            np.multiply(fraction, (end - begin).astype(np.float32), out=plane)
            plane += begin.astype(np.float32)
    return out


def _between_nodes(
    patch: Frame, nodes: Frame, axis: int
) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_], npt.NDArray[np.float64]]:
    """Of each column (axis 0) or row (axis 1) of `patch`: the nodes before and after it, and how
    far between, 0 to 1.

    Beyond the nodes both are the outermost one.
    """
    last = (nodes.width, nodes.height)[axis] - 1
    pixels = np.arange((patch.width, patch.height)[axis])
    um = patch.origin_um[axis] + (pixels + 0.5) * patch.mpp[axis]
    index = (um - nodes.origin_um[axis]) / nodes.mpp[axis] - 0.5
    before = np.floor(index).astype(int)
    return np.clip(before, 0, last), np.clip(before + 1, 0, last), index - before


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
