"""Values between the nodes of a grid, without a library that takes longer to import than to run."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stainbridge.types import Points


def interpolate_linear(
    planes: npt.NDArray[np.floating], positions_px: Points
) -> npt.NDArray[np.float64]:
    """Return planes (C, H, W) at (N, 2) positions, (C, N), bilinear in float64.

    Positions are columns and rows; 0 is the centre of the first pixel. Around the grid its border
    goes on.
    """
    _, height, width = planes.shape
    column, right, across = _bracket(positions_px[:, 0], width)
    row, below, down = _bracket(positions_px[:, 1], height)
    corners = (
        (row, column, (1 - down) * (1 - across)),
        (row, right, (1 - down) * across),
        (below, column, down * (1 - across)),
        (below, right, down * across),
    )
    flat = planes.reshape(len(planes), height * width)
    values = np.zeros((len(planes), len(positions_px)))
    for rows, columns, weights in corners:
        values += flat[:, rows * width + columns] * weights
    return values


def _bracket(
    positions: npt.NDArray[np.float64], count: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Return the nodes before and after positions, (N,) each, and the fraction between them."""
    inside = np.fmax(np.fmin(positions, count - 1), 0)
    before = inside.astype(np.intp)
    return before, np.minimum(before + 1, count - 1), inside - before
