"""What folds in few places is mended there; what folds in many is for verification to reject."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from stainbridge.geometry.field import jacobian_determinant
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import DisplacementField
from stainbridge.types import Field, Mask

#: Of the frame's pixels: where more of them fold, the field is wrong rather than steep.
FEW = 0.001
TRIES = 8
#: Nodes about a fold that are smoothed, and the standard deviation of that.
ABOUT, SIGMA = 3, 1.5


def mended(field: DisplacementField, frame: Frame) -> DisplacementField:
    """The field, smoothed about the few pixels of `frame` where it folds, if that unfolds them;
    else as it is.

    A flow does not fold at its nodes, but between them, linearly interpolated, it may where it is
    steepest. Elsewhere nothing changes.
    """
    found = field
    for _ in range(TRIES):
        folds = jacobian_determinant(found.to_field(frame).displacement, frame.mpp) <= 0
        if not folds.any():
            return found
        if folds.mean() > FEW:
            return field
        found = replace(found, displacement=_smoothed(found, frame, folds))
    return field


def _smoothed(field: DisplacementField, frame: Frame, folds: Mask) -> Field:
    near = np.zeros((field.grid.height, field.grid.width), np.float32)
    rows, columns = np.nonzero(folds)
    nodes = field.grid.to_px(frame.to_um(np.c_[columns, rows].astype(float) + 0.5)).astype(int)
    near[nodes[:, 1].clip(0, field.grid.height - 1), nodes[:, 0].clip(0, field.grid.width - 1)] = 1
    size = 2 * ABOUT + 1
    near = cv2.GaussianBlur(cv2.dilate(near, np.ones((size, size), np.uint8)), (0, 0), SIGMA)
    smooth = np.stack([cv2.GaussianBlur(u, (0, 0), SIGMA) for u in field.displacement])
    return np.asarray(field.displacement + near * (smooth - field.displacement), np.float32)
