"""The exact map from output pixels to source pixels for the transforms that registration makes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.scratch import Scratch
from stainbridge.geometry.transform import Affine, DisplacementField, Transform, split_chain
from stainbridge.types import Matrix

#: Least distance of a field's nodes, in output pixels; denser fields cost less on a lattice.
LEAST_NODE_SPACING_PX = 8


def map_through_field(
    transform: Transform, patch: Frame, grid: Frame, origin: tuple[int, int], scratch: Scratch
) -> npt.NDArray[np.float32] | None:
    """Return the map of `map_to_source` at every pixel, (2, H, W), exact to about 1e-3 pixels.

    Returns None unless the transform is one displacement field followed by affine maps, with nodes
    far enough apart. Between two rows of the field's nodes such a map is linear down each column. A
    lattice that does not know where those rows are needs many more nodes. The map lies in
    `scratch`.
    """
    field, *rest = split_chain(transform)
    if not isinstance(field, DisplacementField) or not all(
        isinstance(member, Affine) for member in rest
    ):
        return None
    if min(np.divide(field.grid.mpp, patch.mpp)) < LEAST_NODE_SPACING_PX:
        return None
    after = np.linalg.inv(_um_from_index(grid)) @ _multiply(rest)
    affine = after @ _um_from_index(patch) - [[0, 0, origin[0]], [0, 0, origin[1]], [0, 0, 0]]
    runs = _linear_runs(patch, field.grid)
    rows = np.array([row for first, stop in runs for row in (first, stop - 1)])
    exact = np.tensordot(after[:2, :2], _displacements_at(field, patch, rows), axes=1)
    for plane, (a, b, c) in zip(exact, affine[:2], strict=True):
        plane += a * np.arange(patch.width) + (b * rows[:, None] + c)

    out = scratch.array("coords", (2, patch.height, patch.width), np.float32)
    for index, (first, stop) in enumerate(runs):
        fraction = (np.arange(stop - first, dtype=np.float32) / max(1, stop - first - 1))[:, None]
        for plane, exact_plane in zip(out[:, first:stop], exact, strict=True):
            begin = exact_plane[2 * index]
            end = exact_plane[2 * index + 1]
            np.multiply(fraction, (end - begin).astype(np.float32), out=plane)
            plane += begin.astype(np.float32)
    return out


def _linear_runs(patch: Frame, nodes: Frame) -> list[tuple[int, int]]:
    """Return the runs of rows, (first, stop), that lie between the same two rows of nodes."""
    upper, lower, _ = _between_nodes(patch, nodes, 1)
    breaks = (np.flatnonzero(np.diff(upper) | np.diff(lower)) + 1).tolist()
    return list(pairwise([0, *breaks, patch.height]))


def _displacements_at(
    field: DisplacementField, patch: Frame, rows: npt.NDArray[np.int_]
) -> npt.NDArray[np.float64]:
    """Interpolate the field at all columns and some rows of `patch`, (2, rows, W) in µm."""
    left, right, across = _between_nodes(patch, field.grid, 0)
    upper, lower, down = _between_nodes(patch, field.grid, 1)
    near = field.displacement[:, :, left[0] : right[-1] + 1]
    nodes = near[:, upper[rows]] * (1 - down[rows, None]) + near[:, lower[rows]] * down[rows, None]
    return np.asarray(
        nodes[..., left - left[0]] * (1 - across) + nodes[..., right - left[0]] * across
    )


def _between_nodes(
    patch: Frame, nodes: Frame, axis: int
) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_], npt.NDArray[np.float64]]:
    """Locate each column (axis 0) or row (axis 1) of `patch` between the nodes.

    Returns the node before, the node after, and the position between them, 0 to 1. Beyond the
    nodes both are the outermost one.
    """
    last = (nodes.width, nodes.height)[axis] - 1
    pixels = np.arange((patch.width, patch.height)[axis])
    um = patch.origin_um[axis] + (pixels + 0.5) * patch.mpp[axis]
    index = (um - nodes.origin_um[axis]) / nodes.mpp[axis] - 0.5
    before = np.floor(index).astype(int)
    return np.clip(before, 0, last), np.clip(before + 1, 0, last), index - before


def _multiply(members: list[Transform]) -> Matrix:
    """Return one matrix for affine maps that are applied first to last."""
    matrix: Matrix = np.eye(3)
    for member in members:
        assert isinstance(member, Affine)
        matrix = member.matrix @ matrix
    return matrix


def _um_from_index(frame: Frame) -> Matrix:
    """Return the (3, 3) matrix from column and row, counted at pixel centres, to µm."""
    x, y = frame.origin_um
    mpp_x, mpp_y = frame.mpp
    return np.array([[mpp_x, 0, x + mpp_x / 2], [0, mpp_y, y + mpp_y / 2], [0, 0, 1]])
