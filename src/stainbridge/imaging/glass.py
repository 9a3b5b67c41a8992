"""Bare glass: how bright it is over a slide lit unevenly, and whether there is anything else."""

from __future__ import annotations

import cv2
import numpy as np

from stainbridge.types import Mask, Plane

#: Detail of a picture, as a share of its own spread: below the first it is the scanner's, whatever its distribution;
#: up to the second it is the scanner's when it is spread like noise, evenly over the picture.
FAINTEST, STRONGEST_NOISE = 0.006, 0.03
#: The 99th percentile of noise is below this many times its median (normal noise: 3.8); a section's edges are beyond.
NOISE_TAIL = 6.0
#: Blocks the light is estimated from, and what its surface must show to be believed.
BLOCKS, SUPPORT, TOLERANCE, LEAST_RANGE = 48, 0.2, 0.012, 0.025
#: Standard deviation inside a block: glass has at most twice that of the smoothest fifth of the blocks, within these.
SMOOTH, ROUGH = 0.004, 0.02
#: Pure white says nothing of the light: it is overexposed, or canvas around the scan.
SATURATED = 1e-3


def is_blank(density: Plane, ignore: Mask) -> bool:
    """Whether a density plane (H, W), of any unit of about 1, shows nothing but glass where not `ignore`, (H, W).

    Looks at detail of some 2 to 8 pixels: noise is weaker there than pixel by pixel, gradients of light are not seen.
    Tissue makes it uneven: much in some places, little in others.
    """
    if ignore.all():
        return True
    plane = np.where(ignore, np.median(density[~ignore][::7]), density) if ignore.any() else density
    half = cv2.resize(plane, (max(1, plane.shape[1] // 2), max(1, plane.shape[0] // 2)), interpolation=cv2.INTER_AREA)
    detail = cv2.GaussianBlur(half, (0, 0), 1.0) - cv2.GaussianBlur(half, (0, 0), 4.0)
    median, high = np.percentile(np.abs(detail), (50, 99))
    return bool(high < FAINTEST or (high < STRONGEST_NOISE and high < NOISE_TAIL * median))


def uneven_light(density: Plane, ignore: Mask) -> Plane | None:
    """How much darker than at its mean glass is at each pixel, (H, W), in the unit of `density`; None when it is even.

    A quadratic surface hugs the brightest parts from below (asymmetric least squares, Newey and Powell 1987,
    doi:10.2307/1911031). It is believed only where smooth, bare parts all over the picture lie on it.
    """
    height, width = density.shape
    size = (min(width, BLOCKS), min(height, BLOCKS))
    bare = cv2.resize((~ignore).astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.999
    if bare.sum() < 64:
        return None
    level = cv2.resize(density, size, interpolation=cv2.INTER_AREA)
    spread = cv2.resize(density * density, size, interpolation=cv2.INTER_AREA) - level * level
    smooth = max(4 * float(np.percentile(spread[bare], 20)), SMOOTH**2)
    bare &= (spread < min(smooth, ROUGH**2)) & (level > SATURATED)
    if bare.sum() < 64:
        return None
    y, x = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    surface = _lower_envelope(terms[bare], level[bare])
    light = (terms @ surface).astype(np.float32)
    on = bare & (np.abs(level - light) < TOLERANCE)
    quarters = [on[rows, columns].mean() for rows in _halves(size[1]) for columns in _halves(size[0])]
    if on.mean() < SUPPORT or min(quarters) < SUPPORT / 4:
        return None
    light = np.clip(light, light[on].min(), light[on].max())
    if np.ptp(light) < LEAST_RANGE:
        return None
    return np.asarray(cv2.resize(light - light.mean(), (width, height), interpolation=cv2.INTER_LINEAR))


def _lower_envelope(terms: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Coefficients of the surface below which few of the values lie."""
    weight = np.ones(len(values))
    solution = np.zeros(terms.shape[1])
    for _ in range(12):
        weighted = terms * weight[:, None]
        solution = np.linalg.solve(weighted.T @ terms + 1e-6 * np.eye(len(solution)), weighted.T @ values)
        above = values - terms @ solution
        weight = np.where(above > 0, 0.03 / (1 + (above / 0.03) ** 2), 1.0)
    return solution


def _halves(length: int) -> tuple[slice, slice]:
    return slice(0, length // 2), slice(length // 2, length)
