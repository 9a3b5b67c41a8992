"""The smoothest displacements that agree with windows, however wrong some of these are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import splu

from stainbridge.types import Field, Plane

#: A window that misses the field by this many standard deviations counts half.
HALF_WEIGHT_DEVIATIONS = 2.0
#: Rounds of reweighting.
ROUNDS = 8
#: Keeps displacements that nothing tells near 0, in 1 / µm².
RIDGE = 1e-6


def fit_smooth_field(shifts_um: Field, deviations_um: Plane, curvature_um: float) -> Field:
    """Return displacements (2, h, w) through `shifts_um` (2, h, w).

    `deviations_um` (h, w) are the standard deviations of the shifts, inf where there is none.
    `curvature_um` is that of the second differences of neighbouring displacements. Minimised is
    the sum of a robust distance, with the weights of Cauchy's distribution, and of the bending
    energy of a thin plate. Both terms are in units of their deviations.
    """
    height, width = deviations_um.shape
    known = np.isfinite(deviations_um).ravel()
    precision = np.zeros(height * width)
    precision[known] = 1 / deviations_um.ravel()[known] ** 2
    bending = _build_bending(height, width) / curvature_um**2
    measured = shifts_um.reshape(2, -1).T.astype(float)
    robust = np.ones(height * width)
    for _ in range(ROUNDS):
        weight = precision * robust
        system = sparse.diags_array(weight + RIDGE) + bending
        fitted = splu(system.tocsc()).solve(weight[:, None] * measured)
        squared = ((fitted - measured) ** 2).sum(1) * precision
        robust = 1 / (1 + squared / HALF_WEIGHT_DEVIATIONS**2)
    return np.asarray(fitted.T.reshape(2, height, width), np.float32)


def _build_bending(height: int, width: int) -> sparse.csc_array:
    """Return the matrix of the bending energy of a plane (height, width), row by row."""
    along = sparse.kron(sparse.eye_array(height), _difference(width, 2))
    down = sparse.kron(_difference(height, 2), sparse.eye_array(width))
    mixed = sparse.kron(_difference(height, 1), _difference(width, 1))
    return sparse.csc_array(along.T @ along + down.T @ down + 2 * (mixed.T @ mixed))


def _difference(count: int, order: int) -> sparse.csc_array:
    """Return the matrix of first or second differences of `count` values."""
    kernel: dict[int, npt.NDArray[np.float64]] = {
        1: np.array([-1.0, 1.0]),
        2: np.array([1.0, -2.0, 1.0]),
    }
    rows = max(0, count - order)
    matrix = np.zeros((rows, count))
    for offset, value in enumerate(kernel[order]):
        matrix[np.arange(rows), np.arange(rows) + offset] = value
    return sparse.csc_array(matrix)
