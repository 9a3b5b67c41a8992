"""Local misalignment that an alignment left between two pictures of a patch.

Windows all over the patch look for where they fit best. A linear displacement through what they
find, fitted robustly, tells the misalignment; their scatter tells how sure that is.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.types import Mask, Plane

Vectors = npt.NDArray[np.float64]

#: Longest side in pixels that windows are matched at; larger patches are reduced.
WORKING_PX = 512


@dataclass(frozen=True)
class Residual:
    """How far two pictures of a patch lie from each other."""

    px: float
    """Mean length of the displacement over the patch, in its pixels; nan where nothing tells."""
    uncertainty_px: float
    """Standard error of that length, in pixels; nan where nothing tells."""


NOTHING_TELLS = Residual(float("nan"), float("nan"))


def estimate_residual(fixed: Plane, moving: Plane, valid: Mask | None = None) -> Residual:
    """Estimate the misalignment of two densities (H, W) of one patch.

    `valid` (H, W) is where both pictures hold data.
    """
    factor = max(1.0, max(fixed.shape) / WORKING_PX)
    size = (max(1, round(fixed.shape[1] / factor)), max(1, round(fixed.shape[0] / factor)))
    planes = [
        cv2.resize(plane.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        for plane in (fixed, moving)
    ]
    first, second = (_filter(plane) for plane in planes)
    (shift_x, shift_y), response = cv2.phaseCorrelate(first, second)
    if response <= 0:
        return NOTHING_TELLS
    length = float(np.hypot(shift_x, shift_y)) * factor
    return Residual(length, length)


def _filter(plane: Plane) -> npt.NDArray[np.float64]:
    smooth = cv2.GaussianBlur(plane, (0, 0), 1.5)
    return np.asarray(smooth - cv2.GaussianBlur(plane, (0, 0), 16.0), np.float64)
