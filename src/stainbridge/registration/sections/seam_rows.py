"""What measures of a seam share: which rows are compared, and how alike chance makes them."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stainbridge.types import Mask, Plane

Values: TypeAlias = npt.NDArray[np.float64]

#: Rows apart: a seam may lie inside a row.
ROW_GAP = 2
#: Least tissue in a row, in pixels.
LEAST_TISSUE_PX = 24
#: Neighbours in a row that may resemble each other, in pixels.
CORRELATION_PX = 15


def count_tissue(inside: Mask) -> npt.NDArray[np.int64]:
    """Return in how many columns each row and the next but one hold tissue, (H - 2,)."""
    return np.asarray((inside[:-ROW_GAP] & inside[ROW_GAP:]).sum(axis=1))


def measure_chance(detail: Plane) -> Values:
    """Return the deviation of the correlation of unrelated rows, times the root of their length.

    Bartlett: neighbours in a row resemble each other, so that there are fewer independent pixels.
    `detail` is (H, W), the result (H - 2,).
    """
    power = np.fft.irfft(np.abs(np.fft.rfft(detail, 2 * detail.shape[1])) ** 2)
    alike = power[:, 1 : CORRELATION_PX + 1] / np.maximum(power[:, :1], 1e-6)
    both = (alike[:-ROW_GAP] * alike[ROW_GAP:]).sum(axis=1)
    return np.asarray(np.sqrt(1 + 2 * np.maximum(both, 0)))
