"""Local misalignment that an alignment left between two pictures of a patch.

It has two parts. Windows all over the patch look for where they fit best: the mean length of the
smoothest field through what they find is what the pictures show, above the windows' own noise.
An alignment follows the noise of the same tissue, though, and then the pictures show nothing. What
they cannot show is told by the alignment's own error: how far halves of its windows disagree.
Where hardly a window tells anything, as in even tissue, the alignment's own error says little too:
then a share of the windows' error is added. No patch reads less than a third of a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.pairing.matching import Features, Matches, extract_features, match_windows
from stainbridge.pairing.smooth_field import fit_smooth_field
from stainbridge.types import Plane

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
#: Windows overlap and err alike: as many of them as this count as one.
ALIKE_WINDOWS = 2.0
#: The windows' errors make their field this many times its standard error long ...
LENGTH_NOISE = 4.5
#: ... and they miss it by this many. More of either is misalignment.
MISFIT_NOISE = 3.0
#: The share of that which is taken for misalignment.
SHOWN_SHARE = 0.9
#: The share of the error of the windows' field that may be misalignment.
UNTOLD_SHARE = 0.3
#: Pixels of misalignment that nothing tells: sections show other cells, and patches are resampled.
LEAST_PX = 0.3
#: Error, in pixels, of an alignment that does not tell its own.
USUAL_ERROR_PX = 0.8
#: Standard deviation of what the pictures do not show, as a share of it.
HIDDEN_SPREAD = 0.4
#: Second difference of displacements from window to window, in pixels.
CURVATURE_PX = 4.0


@dataclass(frozen=True)
class Residual:
    """How far two pictures of a patch lie from each other."""

    px: float
    """Mean length of the displacement over the patch, in its pixels; nan where nothing tells."""
    uncertainty_px: float
    """Standard error of that length, in pixels; nan where nothing tells."""


#: What is known of a patch in which too few windows show anything.
NOTHING_TELLS = Residual(float("nan"), float("nan"))


def estimate_residual(
    fixed: Plane, moving: Plane, alignment_error_px: float | None = None
) -> Residual:
    """Estimate the misalignment of two densities (H, W) of one patch.

    The density is 0 where a picture holds no data. Shifts up to a quarter of the patch are found.
    `alignment_error_px` is the error of the alignment that the moving picture is seen
    through; None where it is not known.
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
    if alignment_error_px is None:
        alignment_error_px = USUAL_ERROR_PX * factor
    return _combine(best, factor, alignment_error_px)


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
    if len(centres) < WINDOWS**2:
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


def _combine(matches: Matches, factor: float, hidden_px: float) -> Residual:
    """Return what the windows show, with what they cannot show, `hidden_px`.

    Windows are matched on pixels that are `factor` times those of the patch.
    """
    square = (WINDOWS, WINDOWS)
    deviations = matches.deviations_px.reshape(square).astype(np.float32)
    shifts = matches.shifts_px.T.reshape(2, *square).astype(np.float32)
    smooth = fit_smooth_field(shifts, deviations, CURVATURE_PX)
    length = float(np.hypot(*smooth).mean())
    known = np.isfinite(deviations)
    misfit = float(np.median(np.hypot(*(shifts - smooth))[known]))
    error = float(np.sqrt(ALIKE_WINDOWS / (1 / deviations[known] ** 2).sum()))
    shown = np.hypot(
        _exceed_noise(length, LENGTH_NOISE * error), _exceed_noise(misfit, MISFIT_NOISE * error)
    )
    error_px = error * factor
    told_px = SHOWN_SHARE * float(shown) * factor
    parts_px = (told_px, UNTOLD_SHARE * error_px, hidden_px, LEAST_PX)
    return Residual(
        float(np.linalg.norm(parts_px)), float(np.hypot(error_px, HIDDEN_SPREAD * hidden_px))
    )


def _exceed_noise(length: float, noise: float) -> float:
    """Return what is left of a length without its noise, which is independent of it."""
    return float(np.sqrt(max(0.0, length**2 - noise**2)))
