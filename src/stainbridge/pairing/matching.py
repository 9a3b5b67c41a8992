"""Find where windows of one density fit best on another, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.types import Plane

#: Standard deviation, in pixels, of the blur before structures are compared: neighbouring sections
#: share outlines, not each nucleus.
FINE_BLUR_PX = 1.5
#: Standard deviation, in pixels, of what is subtracted as background.
BACKGROUND_BLUR_PX = 20.0
#: A window whose density varies by less than this standard deviation shows nothing.
LEAST_CONTRAST = 0.02
#: Independent samples in a window of 128 pixels, by which its correlation becomes a likelihood.
SAMPLES_PER_WINDOW = 200.0
#: Error in pixels of the best match; interpolated peaks of different stains are not better.
LEAST_DEVIATION_PX = 0.3

Features = tuple[Plane, Plane]
Vectors = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Matches:
    """Where windows of the fixed picture fit best on the moving one."""

    centres_px: Vectors
    """Centres of the windows, (N, 2) as x, y."""
    shifts_px: Vectors
    """From a place on the fixed picture to the same tissue on the moving one, (N, 2)."""
    deviations_px: Vectors
    """Standard deviation of each shift along one axis, (N,); inf where a window shows nothing."""
    correlations: Vectors
    """Correlation at the best shift, (N,)."""


def extract_features(density: Plane) -> Features:
    """Return what is compared, (H, W) each: density above its surroundings, and edges."""
    smooth = cv2.GaussianBlur(density, (0, 0), FINE_BLUR_PX)
    detail = smooth - cv2.GaussianBlur(density, (0, 0), BACKGROUND_BLUR_PX)
    across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    return detail, np.sqrt(np.hypot(across, down) / 8)


def match_windows(
    fixed: Features,
    moving: Features,
    centres_px: npt.NDArray[np.int_],
    window_px: int,
    reach_px: int,
) -> Matches:
    """Match windows of `window_px` about (N, 2) centres, shifted by up to `reach_px`.

    Both pictures reach `window_px` / 2 + `reach_px` beyond every centre.
    """
    found = [_match_window(fixed, moving, centre, window_px, reach_px) for centre in centres_px]
    values = np.array(found, float).reshape(-1, 4)
    return Matches(np.asarray(centres_px, float), values[:, :2], values[:, 2], values[:, 3])


def _match_window(
    fixed: Features, moving: Features, centre: npt.NDArray[np.int_], window_px: int, reach_px: int
) -> tuple[float, float, float, float]:
    """Return shift x, y, its standard deviation and the correlation."""
    x, y = (int(value) - window_px // 2 for value in centre)
    inner = (slice(y, y + window_px), slice(x, x + window_px))
    outer = (
        slice(y - reach_px, y + window_px + reach_px),
        slice(x - reach_px, x + window_px + reach_px),
    )
    if fixed[0][inner].std() < LEAST_CONTRAST or moving[0][inner].std() < LEAST_CONTRAST:
        return 0.0, 0.0, float("inf"), 0.0
    correlation = np.mean(
        [
            cv2.matchTemplate(b[outer], a[inner], cv2.TM_CCOEFF_NORMED)
            for a, b in zip(fixed, moving, strict=True)
        ],
        axis=0,
    )
    return find_peak(correlation, SAMPLES_PER_WINDOW * (window_px / 128) ** 2)


def find_peak(correlation: Plane, samples: float) -> tuple[float, float, float, float]:
    """Return the best shift (x, y) of a square of correlations, its deviation and correlation.

    The middle is no shift. The deviation is that of all shifts, each as likely as its correlation
    of `samples` independent values makes it.
    """
    row, column = np.unravel_index(int(np.argmax(correlation)), correlation.shape)
    peak = float(correlation[row, column])
    reach = correlation.shape[0] // 2
    x = column + _interpolate(correlation[row], int(column)) - reach
    y = row + _interpolate(correlation[:, column], int(row)) - reach
    clipped = np.clip(correlation, 0, 0.99)
    likelihood = np.exp(
        -0.5 * samples * (np.log1p(-(clipped**2)) - np.log1p(-(min(peak, 0.99) ** 2)))
    )
    steps = np.arange(-reach, reach + 1)
    squares = (steps[None, :] - x) ** 2 + (steps[:, None] - y) ** 2
    variance = float((likelihood * squares).sum() / likelihood.sum()) / 2
    return float(x), float(y), float(np.sqrt(variance + LEAST_DEVIATION_PX**2)), peak


def _interpolate(values: Plane, index: int) -> float:
    """Return the offset of a parabola's vertex through the values about a maximum."""
    if not 0 < index < len(values) - 1:
        return 0.0
    before, middle, after = (float(value) for value in values[index - 1 : index + 2])
    curvature = before - 2 * middle + after
    return 0.5 * (before - after) / curvature if curvature < 0 else 0.0
