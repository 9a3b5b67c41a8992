"""Interpolate planes at arbitrary positions."""

from __future__ import annotations

import cv2
import numpy as np

from stainbridge.types import Plane

#: Length of the rows, in points, that a list of points is folded into.
#: OpenCV takes no row longer than 32766.
_ROW_POINTS = 4096


def interpolate_plane(plane: Plane, x: Plane, y: Plane) -> Plane:
    """Return `plane` at columns `x` and rows `y`, bilinearly; beyond the border it is constant.

    `x` and `y` have one shape, 1D or 2D, and are counted from pixel centres.
    """
    if x.ndim == 1:
        return _interpolate_list(plane, x, y)
    return np.asarray(cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _interpolate_list(plane: Plane, x: Plane, y: Plane) -> Plane:
    if not x.size:
        return np.zeros(0, np.float32)
    rows = -(-x.size // _ROW_POINTS)
    shape = (rows, _ROW_POINTS)
    folded = interpolate_plane(plane, np.resize(x, shape), np.resize(y, shape))
    return folded.ravel()[: x.size]
