"""Least-squares transforms from corresponding points."""

from __future__ import annotations

import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Space
from stainbridge.geometry.points import as_points
from stainbridge.geometry.transform import Affine
from stainbridge.types import Points


def fit_affine(from_um: Points, to_um: Points, source: Space, target: Space) -> Affine:
    """Fit the affine map that takes `from_um` to `to_um` with the least squared error.

    Both are (N, 2) in µm, N ≥ 3. Raises `InputError` when the counts differ, are below 3, or the
    points lie on one line.
    """
    from_um, to_um = _check(from_um, to_um, at_least=3)
    centre = from_um.mean(axis=0)
    design = np.column_stack([from_um - centre, np.ones(len(from_um))])
    if np.linalg.matrix_rank(design[:, :2], tol=1e-6 * max(1e-12, np.abs(design[:, :2]).max())) < 2:
        raise InputError("landmarks lie on one line", remedy="add a landmark off that line")
    solution, *_ = np.linalg.lstsq(design, to_um, rcond=None)
    matrix = np.eye(3)
    matrix[:2, :2] = solution[:2].T
    matrix[:2, 2] = solution[2] - matrix[:2, :2] @ centre
    return Affine(matrix, source, target)


def fit_similarity(from_um: Points, to_um: Points, source: Space, target: Space) -> Affine:
    """Fit the rotation, scale and shift, without a flip, that takes `from_um` to `to_um`.

    Both are (N, 2) in µm, N ≥ 2.
    Umeyama 1991, "Least-squares estimation of transformation parameters between two point
    patterns", doi:10.1109/34.88573, in its closed form for the plane. Raises `InputError` when the
    counts differ, are below 2, or the points coincide.
    """
    from_um, to_um = _check(from_um, to_um, at_least=2)
    centre_from = from_um.mean(axis=0)
    centre_to = to_um.mean(axis=0)
    # As complex numbers, rotation and scale are one factor.
    z = (from_um - centre_from) @ (1, 1j)
    w = (to_um - centre_to) @ (1, 1j)
    energy = float(np.vdot(z, z).real)
    if energy <= 0:
        raise InputError("landmarks coincide", remedy="give at least two different points")
    factor = complex(np.vdot(z, w)) / energy
    if abs(factor) == 0:
        raise InputError(
            "the target landmarks coincide", remedy="give at least two different points"
        )
    linear = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = centre_to - linear @ centre_from
    return Affine(matrix, source, target)


def fit_landmarks(from_um: Points, to_um: Points, source: Space, target: Space) -> Affine:
    """Fit an affine map to three pairs or more, and a similarity to two.

    Raises `InputError` for fewer.
    """
    fit = fit_affine if len(from_um) >= 3 else fit_similarity
    return fit(from_um, to_um, source, target)


def _check(from_um: Points, to_um: Points, *, at_least: int) -> tuple[Points, Points]:
    """Return both sides as (N, 2), N ≥ `at_least`."""
    from_um = as_points(from_um)
    to_um = as_points(to_um)
    if len(from_um) != len(to_um):
        raise InputError(
            "landmarks must correspond one to one", expected=len(from_um), got=len(to_um)
        )
    if len(from_um) < at_least:
        raise InputError("too few landmarks", expected=f"at least {at_least}", got=len(from_um))
    return from_um, to_um
