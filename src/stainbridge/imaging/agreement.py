"""How well two pictures agree place by place."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.types import Plane

#: Standard deviation of a window below which there is nothing to compare, of a range of 0 to 1.
LEAST_DEVIATION = 0.02


def local_agreement(
    first: Plane, second: Plane, window_px: int, *, tissue: npt.NDArray[np.bool_] | None = None
) -> Plane:
    """Return the normalised cross-correlation of two densities (H, W) in windows about each pixel.

    It is −1 to 1, and nan where a window shows too little, or outside `tissue`. Raises `InputError`
    for unlike shapes or a window of less than 3 pixels.
    """
    if first.shape != second.shape:
        raise InputError("pictures of unlike sizes", expected=first.shape, got=second.shape)
    if window_px < 3:
        raise InputError("the window is too small", expected=">= 3", got=window_px)

    def average(plane: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        size = (window_px, window_px)
        return np.asarray(cv2.blur(plane.astype(np.float64), size, borderType=cv2.BORDER_REFLECT))

    mean_first = average(first)
    mean_second = average(second)
    covariance = average(first * second) - mean_first * mean_second
    variance_first = average(first * first) - mean_first**2
    variance_second = average(second * second) - mean_second**2
    floor = LEAST_DEVIATION**2
    shows_enough = (variance_first > floor) & (variance_second > floor)
    if tissue is not None:
        shows_enough &= tissue
    scale = np.sqrt(np.maximum(variance_first, floor) * np.maximum(variance_second, floor))
    return np.where(shows_enough, np.clip(covariance / scale, -1, 1), np.nan).astype(np.float32)
