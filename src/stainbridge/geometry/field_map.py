"""The exact map from output pixels to source pixels for the transforms that registration makes."""

from __future__ import annotations

import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.scratch import Scratch
from stainbridge.geometry.source_map import Knots, SourceMap, locate_between_nodes
from stainbridge.geometry.transform import Affine, DisplacementField, Transform, split_chain
from stainbridge.types import Matrix

#: Least distance of a field's nodes, in output pixels; denser fields cost less on a lattice.
LEAST_NODE_SPACING_PX = 2


def map_through_field(
    transform: Transform, patch: Frame, grid: Frame, origin: tuple[int, int], scratch: Scratch
) -> SourceMap | None:
    """Return the map of `map_to_source`, exact to about 1e-3 pixels.

    Returns None unless the transform is one displacement field followed by affine maps, with nodes
    far enough apart. Such a map is bilinear between the field's own nodes. A lattice that does not
    know where those are needs many more nodes.
    """
    field, *rest = split_chain(transform)
    if not isinstance(field, DisplacementField) or not all(
        isinstance(member, Affine) for member in rest
    ):
        return None
    if min(np.divide(field.grid.mpp, patch.mpp)) < LEAST_NODE_SPACING_PX:
        return None
    after = _index_from_um(grid) @ _multiply(rest)
    affine = (after @ _um_from_index(patch))[:2] - [[0, 0, origin[0]], [0, 0, origin[1]]]
    down, rows = _locate(patch, field.grid, 1)
    across, columns = _locate(patch, field.grid, 0)
    displacement = field.displacement[:, rows, columns]
    nodes = (after[:2, :2] @ displacement.reshape(2, -1)).reshape(displacement.shape)
    return SourceMap(down, across, nodes, affine, origin, scratch)


def _locate(patch: Frame, nodes: Frame, axis: int) -> tuple[Knots, slice]:
    """Locate each column (axis 0) or row (axis 1) of `patch` between the nodes."""
    pixels = np.arange((patch.width, patch.height)[axis])
    um = patch.origin_um[axis] + (pixels + 0.5) * patch.mpp[axis]
    index = np.asarray((um - nodes.origin_um[axis]) / nodes.mpp[axis] - 0.5, np.float64)
    return locate_between_nodes(index, (nodes.width, nodes.height)[axis])


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


def _index_from_um(frame: Frame) -> Matrix:
    """Return the (3, 3) inverse of `_um_from_index`."""
    x, y = frame.origin_um
    mpp_x, mpp_y = frame.mpp
    return np.array([[1 / mpp_x, 0, -x / mpp_x - 0.5], [0, 1 / mpp_y, -y / mpp_y - 0.5], [0, 0, 1]])
