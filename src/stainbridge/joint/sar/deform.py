"""Elastic deformations of pictures by cubic B-splines, with their inverse."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.types import Field, Plane

#: Largest change of a displacement from pixel to pixel; below 1 the map cannot fold, and its
#: inverse is found by iteration.
MAX_GRADIENT = 0.6
#: Rounds of the iteration: the error falls by MAX_GRADIENT in each.
INVERSION_ROUNDS = 25


def draw_deformation(
    rng: np.random.Generator, size_px: int, nodes: int, longest_px: float
) -> Field:
    """Draw a displacement (2, H, W) in pixels whose longest vector is `longest_px` long.

    A cubic B-spline with `nodes` spans along a side. It is weaker where it would fold otherwise.
    """
    weights = sample_b_splines(size_px, nodes)
    coefficients = rng.uniform(-1, 1, (2, nodes + 3, nodes + 3)).astype(np.float32)
    field = weights @ coefficients @ weights.T
    field *= longest_px / max(float(np.hypot(*field).max()), 1e-6)
    derivatives = [np.diff(field, axis=axis) for axis in (1, 2)]
    steepest = max(float(np.hypot(*derivative).max()) for derivative in derivatives)
    field *= min(1.0, MAX_GRADIENT / np.sqrt(2) / max(steepest, 1e-6))
    return np.asarray(field, np.float32)


def sample_b_splines(size_px: int, spans: int) -> Plane:
    """Return the uniform cubic B-splines of `spans` spans at pixel centres, (size, spans + 3)."""
    position = (np.arange(size_px) + 0.5) * spans / size_px
    first = np.minimum(position.astype(int), spans - 1)
    t = position - first
    values = (
        (1 - t) ** 3 / 6,
        (3 * t**3 - 6 * t**2 + 4) / 6,
        (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
        t**3 / 6,
    )
    weights = np.zeros((size_px, spans + 3), np.float32)
    for offset, value in enumerate(values):
        weights[np.arange(size_px), first + offset] = value
    return weights


def invert_displacement(field: Field) -> Field:
    """Return v with v(x) = −u(x + v(x)), (2, H, W) in pixels, of a field u that cannot fold."""
    inverse = np.zeros_like(field)
    for _ in range(INVERSION_ROUNDS):
        inverse = -warp_planes(field, inverse, cv2.BORDER_REPLICATE)
    return inverse


def warp_planes(
    planes: npt.NDArray[np.float32], displacement: Field, border: int = cv2.BORDER_CONSTANT
) -> npt.NDArray[np.float32]:
    """Return planes (C, H, W) at x + u(x), linearly; 0 outside, or as `border` says."""
    height, width = displacement.shape[1:]
    x, y = (
        np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        + displacement
    )
    warped = [cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=border) for plane in planes]
    return np.stack(warped)
