"""Repair of displacement fields that fold in few places.

A field that folds in many places is wrong; verification rejects it.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from stainbridge.geometry.field import jacobian_determinant
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import DisplacementField
from stainbridge.types import Field, Mask

#: Share of the frame's pixels; where more of them fold, the field is wrong rather than steep.
MAX_FOLDED_SHARE = 0.001
#: Times that a field is smoothed before it is given up.
MAX_ROUNDS = 8
#: Distance in nodes about a fold within which the field is smoothed.
REACH_NODES = 3
#: Standard deviation of the smoothing, in nodes.
SIGMA_NODES = 1.5


def repair_folds(field: DisplacementField, frame: Frame) -> DisplacementField:
    """Smooth a field about the few pixels of `frame` where it folds, if that unfolds them.

    A flow does not fold at its nodes. Linearly interpolated between them it may, where it is
    steepest. The rest of the field does not change; a field that cannot be repaired is returned as
    it is.
    """
    repaired = field
    for _ in range(MAX_ROUNDS):
        folds = jacobian_determinant(repaired.to_field(frame).displacement, frame.mpp) <= 0
        if not folds.any():
            return repaired
        if folds.mean() > MAX_FOLDED_SHARE:
            return field
        repaired = replace(repaired, displacement=_smooth_near(repaired, frame, folds))
    return field


def _smooth_near(field: DisplacementField, frame: Frame, folds: Mask) -> Field:
    near = np.zeros((field.grid.height, field.grid.width), np.float32)
    rows, columns = np.nonzero(folds)
    centres = np.c_[columns, rows].astype(float) + 0.5
    nodes = field.grid.to_px(frame.to_um(centres)).astype(int)
    near[nodes[:, 1].clip(0, field.grid.height - 1), nodes[:, 0].clip(0, field.grid.width - 1)] = 1
    size = 2 * REACH_NODES + 1
    near = cv2.dilate(near, np.ones((size, size), np.uint8))
    near = cv2.GaussianBlur(near, (0, 0), SIGMA_NODES)
    smooth = np.stack([cv2.GaussianBlur(u, (0, 0), SIGMA_NODES) for u in field.displacement])
    return np.asarray(field.displacement + near * (smooth - field.displacement), np.float32)
