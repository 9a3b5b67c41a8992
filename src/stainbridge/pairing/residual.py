"""Local misalignment that an alignment left between two pictures of a patch.

Windows all over the patch look for where they fit best. A linear displacement through what they
find, fitted robustly, tells the misalignment; their scatter tells how sure that is.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.pairing.matching import Features, Matches, extract_features, match_windows
from stainbridge.types import Plane

Vectors = npt.NDArray[np.float64]

#: Longest side in pixels that windows are matched at; larger patches are reduced.
WORKING_PX = 512
#: Side of a window as a share of the patch.
WINDOW_SHARE = 0.31
#: Largest shift of a window from where it is sought, as a share of the patch.
REACH_SHARE = 0.0625
#: Windows along each side.
WINDOWS = 4
#: The whole patch is sought at a resolution this many times lower ...
COARSE_FACTOR = 4
#: ... up to this share of its side away.
COARSE_REACH_SHARE = 0.2
#: Windows that must tell something.
LEAST_WINDOWS = 3
#: Windows that contradict the others by more than this many deviations lose weight.
OUTLIER_DEVIATIONS = 2.0
#: Rounds of the robust fit.
ROUNDS = 8
#: How steep displacements are: standard deviation of their derivative.
STEEPNESS = 0.01
#: Windows overlap and err alike: as many of them as this count as one.
ALIKE_WINDOWS = 2.0


@dataclass(frozen=True)
class Residual:
    """How far two pictures of a patch lie from each other."""

    px: float
    """Mean length of the displacement over the patch, in its pixels; nan where nothing tells."""
    uncertainty_px: float
    """Standard error of that length, in pixels; nan where nothing tells."""


#: What is known of a patch in which too few windows show anything.
NOTHING_TELLS = Residual(float("nan"), float("nan"))


def estimate_residual(fixed: Plane, moving: Plane) -> Residual:
    """Estimate the misalignment of two densities (H, W) of one patch.

    The density is 0 where a picture holds no data. Shifts up to a quarter of the patch are found.
    """
    factor = max(1.0, max(fixed.shape) / WORKING_PX)
    pair = (_reduce(fixed, factor), _reduce(moving, factor))
    features = (extract_features(pair[0]), extract_features(pair[1]))
    near = _match_grid(*features, (0, 0))
    far_shift = _find_coarse_shift(*pair)
    best = near
    if max(abs(value) for value in far_shift) > REACH_SHARE * max(pair[0].shape) / 2:
        far = _match_grid(*features, far_shift)
        if _count(far) >= LEAST_WINDOWS and _mean(far) > _mean(near):
            best = far
    if _count(best) < LEAST_WINDOWS:
        return NOTHING_TELLS
    residual = _combine(best, pair[0].shape)
    return Residual(residual.px * factor, residual.uncertainty_px * factor)


def _reduce(plane: Plane, factor: float) -> Plane:
    height, width = plane.shape
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)


def _count(matches: Matches) -> int:
    return int(np.isfinite(matches.deviations_px).sum())


def _mean(matches: Matches) -> float:
    known = np.isfinite(matches.deviations_px)
    return float(matches.correlations[known].mean()) if known.any() else -1.0


def _find_coarse_shift(fixed: Plane, moving: Plane) -> tuple[int, int]:
    """Return the whole number of pixels (x, y) by which the middle of the patch fits best."""
    small = [_reduce(plane, COARSE_FACTOR) for plane in (fixed, moving)]
    side = min(small[0].shape)
    reach = int(COARSE_REACH_SHARE * side)
    window = (side - 2 * reach) // 2 * 2
    centre = np.array([[small[0].shape[1] // 2, small[0].shape[0] // 2]])
    if window < 8:
        return 0, 0
    features = [extract_features(plane) for plane in small]
    shift = match_windows(features[0], features[1], centre, window, reach).shifts_px[0]
    x, y = np.rint(shift * COARSE_FACTOR).astype(int)
    return int(x), int(y)


def _match_grid(fixed: Features, moving: Features, offset: tuple[int, int]) -> Matches:
    """Match a grid of windows, sought about `offset` (x, y) from where they lie."""
    height, width = fixed[0].shape
    side = min(height, width)
    window = int(WINDOW_SHARE * side) // 2 * 2
    reach = max(2, int(REACH_SHARE * side))
    margin = window // 2 + reach
    places = [
        _spread(length, margin, shift)
        for length, shift in zip((width, height), offset, strict=True)
    ]
    centres = np.stack(np.meshgrid(*places), axis=-1).reshape(-1, 2)
    if not len(centres):
        return Matches(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0), np.zeros(0))
    shifted = (_shift(moving[0], offset), _shift(moving[1], offset))
    matches = match_windows(fixed, shifted, centres, window, reach)
    return Matches(
        matches.centres_px,
        matches.shifts_px + np.array(offset),
        matches.deviations_px,
        matches.correlations,
    )


def _spread(length: int, margin: int, shift: int) -> npt.NDArray[np.int_]:
    """Return window centres along an axis, for which both pictures hold what is looked at."""
    low = margin + max(0, -shift)
    high = length - margin - max(0, shift)
    if high < low:
        return np.zeros(0, int)
    return np.rint(np.linspace(low, high, WINDOWS)).astype(int)


def _shift(plane: Plane, offset: tuple[int, int]) -> Plane:
    """Return the plane moved so that what was at a place plus `offset` is there."""
    return np.roll(plane, (-offset[1], -offset[0]), axis=(0, 1))


def _combine(matches: Matches, shape: tuple[int, ...]) -> Residual:
    """Fit a linear displacement and return its mean length over the patch."""
    known = np.isfinite(matches.deviations_px)
    deviations = matches.deviations_px[known]
    size = np.array([shape[1], shape[0]])
    places = matches.centres_px[known] / size - 0.5
    design = np.c_[np.ones(len(places)), places]
    prior = np.diag([0.0, *1 / (STEEPNESS * size) ** 2])
    shifts = matches.shifts_px[known]
    weights = 1 / deviations**2
    robust = np.ones(len(places))
    for _ in range(ROUNDS):
        normal = (design.T * (weights * robust)) @ design + prior + 1e-9 * np.eye(3)
        fitted = np.linalg.solve(normal, (design.T * (weights * robust)) @ shifts)
        misfit = np.hypot(*(shifts - design @ fitted).T)
        robust = 1 / (1 + weights * (misfit / OUTLIER_DEVIATIONS) ** 2)
    scatter = float((robust * weights * misfit**2).sum() / max(1.0, 2 * robust.sum() - 2))
    covariance = np.linalg.inv(normal) * max(scatter, 0.25) * ALIKE_WINDOWS
    steps = np.linspace(-0.5, 0.5, 5)
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    probe = np.c_[np.ones(len(grid)), grid]
    squares = ((probe @ fitted) ** 2).sum(1)
    variances = ((probe @ covariance) * probe).sum(1)
    length = np.sqrt(np.maximum(squares - 2 * variances, 0.25 * (squares + variances)))
    return Residual(float(length.mean()), float(np.sqrt(variances.mean())))
