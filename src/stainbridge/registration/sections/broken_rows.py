"""Rows of tissue that resemble each other less across a line than all near it.

However far the two sides of a seam lie apart, a row does not go on in the next but one.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from stainbridge.registration.sections.seam_rows import (
    LEAST_TISSUE_PX,
    ROW_GAP,
    Values,
    count_tissue,
    measure_chance,
)
from stainbridge.types import Mask, Plane

#: Displacements that are none, as a share of the picture's diagonal: structures slant.
NO_SHIFT = 0.01
#: A row is compared with those from so many rows on, which the same seam cannot reach, ...
NEAREST_ROW = 3
#: ... up to so many rows away, on either side, ...
FARTHEST_ROW = 20
#: ... of which so many at least hold tissue.
LEAST_ROWS = 8
#: Least share of the longest row that is tissue on both sides of a seam.
LEAST_EXTENT = 0.4


def measure_break(detail: Plane, inside: Mask) -> float:
    """Return by how much less rows resemble each other across a line than all near it.

    In standard deviations of the chance that unlike rows do. `detail` (H, W) is the normalised
    density, 0 where it is not known; `inside` is where it is.
    """
    if len(detail) <= ROW_GAP:
        return 0.0
    count = count_tissue(inside)
    number = np.maximum(inside.sum(axis=1, keepdims=True), 1)
    detail = (detail - detail.sum(axis=1, keepdims=True) / number) * inside  # a line is no seam
    is_used = count >= max(LEAST_TISSUE_PX, LEAST_EXTENT * count.max())
    likeness = np.where(is_used, _correlate_rows(detail, inside), np.inf)
    deviation = measure_chance(detail) / np.sqrt(np.maximum(count, 1))
    less = (_find_least_near(likeness) - likeness) / deviation
    across = (less[1:] + less[:-1]) / 2  # two pairs of rows lie across a seam
    return float(across.max(initial=0))


def _find_least_near(likeness: Values) -> Values:
    """Return the least that is near each value; -inf where too few are finite."""
    around = sliding_window_view(
        np.pad(likeness, FARTHEST_ROW, constant_values=np.inf), 2 * FARTHEST_ROW + 1
    )
    is_near = np.abs(np.arange(-FARTHEST_ROW, FARTHEST_ROW + 1)) >= NEAREST_ROW
    near = around[:, is_near]
    is_enough = np.isfinite(near).sum(axis=1) >= LEAST_ROWS
    return np.where(is_enough, near.min(axis=1), -np.inf)


def _correlate_rows(detail: Plane, inside: Mask) -> Values:
    """Return the correlation of each row with the next but one, displaced by next to nothing."""
    height, width = detail.shape
    reach = max(3, round(NO_SHIFT * float(np.hypot(height, width))))
    planes = [detail, detail * detail, inside.astype(np.float32)]
    above = [plane[:-ROW_GAP] for plane in planes]
    below = [np.pad(plane[ROW_GAP:], ((0, 0), (reach, reach))) for plane in planes]
    best = np.full(height - ROW_GAP, -1.0)
    for start in range(2 * reach + 1):
        shifted = [plane[:, start : start + width] for plane in below]
        product, upper, lower = (
            np.einsum("ij,ij->i", above[i], shifted[k]) for i, k in ((0, 0), (1, 2), (2, 1))
        )
        best = np.maximum(best, product / np.sqrt(np.maximum(upper * lower, 1e-6)))
    return best
