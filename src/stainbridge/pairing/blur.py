"""How blurred a picture is: the width of its sharpest edges."""

from __future__ import annotations

import cv2
import numpy as np

from stainbridge.types import Mask, Plane

#: Standard deviation, in pixels, of the blur that is added to see how much edges lose by it.
ADDED_BLUR_PX = 2.0
#: Share of the pixels, those with the steepest edges, that tell.
EDGE_SHARE = 0.02
#: Of these edges, the sharpest quarter counts: tissue has soft edges too, however sharp the scan.
SHARP_QUANTILE = 0.75
#: Fewer edge pixels do not tell.
LEAST_EDGE_PX = 64
#: Standard deviation of the noise in a plane of densities; edges that hardly exceed it do not tell.
LEAST_SLOPE = 0.01


def estimate_blur_px(density: Plane, where: Mask) -> float:
    """Return the standard deviation of the blur of `density` (H, W), in pixels.

    Measured is by how much the steepest edges in `where` lose when the picture is blurred once
    more; nan where there are too few edges. A step of width s that is blurred by t loses a factor
    of √(1 + t² / s²). Zhuo and Sim 2011, "Defocus map estimation from a single image",
    doi:10.1016/j.patcog.2011.03.009.
    """
    slope = _measure_slope(density)
    blurred = _measure_slope(cv2.GaussianBlur(density, (0, 0), ADDED_BLUR_PX))
    inside = cv2.erode(where.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    slope_inside = slope[inside]
    if slope_inside.size < LEAST_EDGE_PX / EDGE_SHARE:
        return float("nan")
    least = max(float(np.quantile(slope_inside, 1 - EDGE_SHARE)), LEAST_SLOPE)
    steep = inside & (slope >= least)
    if int(steep.sum()) < LEAST_EDGE_PX:
        return float("nan")
    loss = np.quantile(slope[steep] / np.maximum(blurred[steep], 1e-6), SHARP_QUANTILE)
    return float(ADDED_BLUR_PX / np.sqrt(max(float(loss) ** 2 - 1, 1e-3)))


def _measure_slope(plane: Plane) -> Plane:
    """Return the length of the gradient of a plane (H, W), per pixel."""
    along = cv2.Sobel(plane, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    down = cv2.Sobel(plane, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    # not cv2.magnitude, whose last bit depends on where in memory the arrays lie
    return np.asarray(np.hypot(along, down))
