"""Between which values the signal of a dark channel lies, and which light in it is glare."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.types import Mask, Plane

#: Background and brightest signal of a dark channel, as percentiles.
SIGNAL_PERCENTILES = (5, 99.5)
#: Saturated pixels cover at most this share of a picture where they are an artefact ...
MOST_GLARE_SHARE = 0.05
#: ... at least this share of it in one piece, for single pixels are hot ...
LEAST_GLARE_SHARE = 0.001
#: ... and are more than this many times as bright as the brightest signal.
GLARE_RATIO = 2.0
#: Values this near to the largest are saturated, as a share of it.
SATURATION_TOLERANCE = 1e-3
#: Side in pixels of the square by which glare is grown: light spills over.
GLARE_REACH_PX = 7


def find_signal_range(values: npt.NDArray[Any]) -> tuple[float, float]:
    """Return background and brightest signal of one dark channel's values (N,).

    Few saturated values far above all others are an artefact and do not count.
    """
    low, high = np.percentile(values, SIGNAL_PERCENTILES)
    saturated = values >= _find_saturation(values)
    if 0 < saturated.mean() <= MOST_GLARE_SHARE:
        rest_high = np.percentile(values[~saturated], SIGNAL_PERCENTILES[1])
        if float(values.max()) - low > GLARE_RATIO * (rest_high - low):
            high = rest_high
    return float(low), float(high)


def find_glare(plane: Plane, valid: Mask) -> Mask:
    """Return where saturated light reaches the border of a dark channel (H, W), with its rim.

    Nothing is glare where the signal is nearly as bright.
    """
    nothing = np.zeros(plane.shape, bool)
    values = plane[valid]
    if not values.size:
        return nothing
    low, high = find_signal_range(values)
    saturated = valid & (plane >= _find_saturation(values))
    is_apart = float(values.max()) - low > GLARE_RATIO * (high - low)
    if not is_apart or saturated.mean() > MOST_GLARE_SHARE:
        return nothing
    _, labels, stats, _ = cv2.connectedComponentsWithStats(saturated.astype(np.uint8))
    edges = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    large = stats[:, cv2.CC_STAT_AREA] >= LEAST_GLARE_SHARE * plane.size
    at_border = np.isin(labels, [edge for edge in edges if edge > 0 and large[edge]])
    kernel = np.ones((GLARE_REACH_PX, GLARE_REACH_PX), np.uint8)
    return np.asarray(cv2.dilate(at_border.astype(np.uint8), kernel) > 0)


def _find_saturation(values: npt.NDArray[Any]) -> float:
    return float(values.max()) * (1 - SATURATION_TOLERANCE)
