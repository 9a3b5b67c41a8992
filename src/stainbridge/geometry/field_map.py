"""Where output pixels lie in a source grid, pixel by pixel, for the transform that registration makes: one field."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.scratch import Scratch
from stainbridge.geometry.transform import Affine, DisplacementField, Transform, parts
from stainbridge.types import Matrix


def field_map(
    transform: Transform, patch: Frame, grid: Frame, origin: tuple[int, int], scratch: Scratch
) -> npt.NDArray[np.float32] | None:
    """The map of `source_map` at every pixel, exact to about 1e-3 pixels; None where this shortcut does not hold.

    It holds for affine maps around one displacement field, whose kinks at the lines of its own grid no coarser lattice
    follows. All but the field is one affine map, computed in float64; the field adds small displacements in float32.
    The map lies in `scratch`.
    """
    members = parts(transform)
    place = [i for i, member in enumerate(members) if isinstance(member, DisplacementField)]
    if len(place) != 1 or not all(isinstance(member, (Affine, DisplacementField)) for member in members):
        return None
    field = members[place[0]]
    assert isinstance(field, DisplacementField)
    size = (2, patch.height, patch.width)
    before = _product(members[: place[0]]) @ _um_from_index(patch)
    after = np.linalg.inv(_um_from_index(grid)) @ _product(members[place[0] + 1 :])
    at = _affine_map(
        np.linalg.inv(_um_from_index(field.grid)) @ before, patch, (0, 0), scratch.array("at", size, np.float32)
    )
    coords = _affine_map(after @ before, patch, origin, scratch.array("coords", size, np.float32))
    moved = scratch.array("moved", size[1:], np.float32)
    for displacement, column in zip(np.ascontiguousarray(field.displacement, np.float32), after[:2, :2].T, strict=True):
        cv2.remap(displacement, at[0], at[1], cv2.INTER_LINEAR, dst=moved, borderMode=cv2.BORDER_REPLICATE)
        for plane, factor in zip(coords, column, strict=True):
            cv2.scaleAdd(moved, float(factor), plane, dst=plane)
    return coords


def _product(members: tuple[Transform, ...]) -> Matrix:
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


def _affine_map(
    matrix: Matrix, patch: Frame, origin: tuple[int, int], out: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """`out` (2, H, W) filled with `matrix` applied to (column, row, 1) of each pixel, less `origin`."""
    columns, rows = np.arange(patch.width), np.arange(patch.height)[:, None]
    for plane, (a, b, c), start in zip(out, matrix[:2], origin, strict=True):
        np.add((a * columns + (c - start)).astype(np.float32), (b * rows).astype(np.float32), out=plane)
    return out
