"""Pure functions of sampled displacement fields, (2, H, W), channels dx, dy."""

from __future__ import annotations

import numpy as np

from stainbridge.types import Field, Plane


def gradient(displacement: Field, spacing: tuple[float, float]) -> tuple[Field, Field]:
    """Return central differences (du/dx, du/dy), each (2, H, W).

    `spacing` is the distance (x, y) of the samples in the unit of u.
    """
    if min(displacement.shape[1:]) < 2:
        return np.zeros_like(displacement), np.zeros_like(displacement)
    du_dy, du_dx = np.gradient(displacement, spacing[1], spacing[0], axis=(1, 2))
    return np.asarray(du_dx, np.float32), np.asarray(du_dy, np.float32)


def jacobian_determinant(displacement: Field, spacing: tuple[float, float]) -> Plane:
    """Return the determinant of the Jacobian of x + u(x), (H, W).

    It is the local area factor; where it is 0 or less the map folds.
    """
    du_dx, du_dy = gradient(displacement, spacing)
    return np.asarray((1 + du_dx[0]) * (1 + du_dy[1]) - du_dx[1] * du_dy[0])
