"""The smoothest displacements that agree with windows, however wrong some of these are."""

from __future__ import annotations

from math import comb

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import splu

from stainbridge.types import Field, Plane

#: A window that misses the field by this many standard deviations counts half.
HALF_WEIGHT_DEVIATIONS = 2.0
#: Rounds of reweighting.
ROUNDS = 6
#: Keeps displacements that nothing tells near 0, in 1 / µm².
RIDGE = 1e-6
#: Local displacements up to this many times their median length are taken for noise.
NOISE_LENGTHS = 2.0


def fit_layered_field(
    shifts_um: Field, deviations_um: Plane, third_um: float, curvature_um: float
) -> Field:
    """Return displacements (2, h, w) that are smooth but where windows agree on more.

    The first layer is as smooth as `third_um` asks, the standard deviation of third differences of
    neighbouring displacements. The second one follows what it leaves, as near as `curvature_um`
    asks. It is reduced by its own noise: what windows find by chance is everywhere about as long,
    tears and folds stand out.
    """
    smooth = fit_smooth_field(shifts_um, deviations_um, third_um, order=3)
    local = fit_smooth_field(shifts_um - smooth, deviations_um, curvature_um)
    return np.asarray(smooth + _reduce_noise(local, np.isfinite(deviations_um)), np.float32)


def fit_smooth_field(
    shifts_um: Field, deviations_um: Plane, roughness_um: float, order: int = 2
) -> Field:
    """Return displacements (2, h, w) through `shifts_um` (2, h, w).

    `deviations_um` (h, w) are the standard deviations of the shifts, inf where there is none.
    `roughness_um` is that of the differences of neighbouring displacements, of the second or third
    `order`. Minimised is the sum of a robust distance, with the weights of Cauchy's distribution,
    and of the energy of a thin plate. Both terms are in units of their deviations.
    """
    height, width = deviations_um.shape
    known = np.isfinite(deviations_um).ravel()
    precision = np.zeros(height * width)
    precision[known] = 1 / deviations_um.ravel()[known] ** 2
    energy = _build_energy(height, width, order) / roughness_um**2
    measured = shifts_um.reshape(2, -1).T.astype(float)
    robust = np.ones(height * width)
    for _ in range(ROUNDS):
        weight = precision * robust
        system = sparse.diags_array(weight + RIDGE) + energy
        fitted = splu(system.tocsc()).solve(weight[:, None] * measured)
        squared = ((fitted - measured) ** 2).sum(1) * precision
        robust = 1 / (1 + squared / HALF_WEIGHT_DEVIATIONS**2)
    return np.asarray(fitted.T.reshape(2, height, width), np.float32)


def _reduce_noise(field: Field, known: npt.NDArray[np.bool_]) -> Field:
    """Return displacements (2, h, w) without as much of each as is noise.

    The noise is measured where there are windows, `known` (h, w).
    """
    squared = (field**2).sum(0)
    noise = NOISE_LENGTHS**2 * np.median(squared[known]) if known.any() else 0.0
    share = np.clip(1 - noise / np.maximum(squared, np.float32(1e-12)), 0, 1)
    return np.asarray(field * share, np.float32)


def _build_energy(height: int, width: int, order: int) -> sparse.csc_array:
    """Return the matrix of a thin plate's energy on a plane (height, width), row by row."""
    total = sparse.csc_array((height * width, height * width))
    for down in range(order + 1):
        differences = sparse.csc_array(
            sparse.kron(_difference(height, down), _difference(width, order - down))
        )
        total = total + comb(order, down) * (differences.T @ differences)
    return sparse.csc_array(total)


def _difference(count: int, order: int) -> sparse.csc_array:
    """Return the matrix of the differences of an order of `count` values."""
    matrix = sparse.csc_array(sparse.eye_array(count))
    for _ in range(order):
        matrix = sparse.csc_array(matrix[1:] - matrix[:-1])
    return matrix
