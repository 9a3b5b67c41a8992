"""Resample an axis-parallel grid with anti-aliasing, at exact sub-pixel positions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.types import Pixels, Plane

#: Weight of the finite values from which a sample has one.
LEAST_FINITE_WEIGHT = 0.5
#: Rows of output that one matrix product makes; 32 was the fastest of 16, 32, 64, 128.
BLOCK_ROWS = 32

Interleaved = npt.NDArray[Any]  # (H, W, C)


@dataclass(frozen=True)
class Sampling:
    """Samples along one axis, in pixel coordinates in which pixel 0 spans 0..1."""

    start: float
    """Centre of the first sample, in pixels."""
    step: float
    """Distance of neighbouring samples, in pixels."""
    count: int
    """Number of samples."""

    def part(self, first: int, stop: int) -> Sampling:
        """Return samples `first` up to, not including, `stop`."""
        return Sampling(self.start + first * self.step, self.step, stop - first)

    def coarsen(self, factor: int, first_px: int) -> Sampling:
        """Return the same samples on an axis of pixels `factor` times as large.

        That axis begins at pixel `first_px` of this one.
        """
        return Sampling((self.start - first_px) / factor, self.step / factor, self.count)

    @property
    def support(self) -> float:
        """Half the width of the filter, in pixels."""
        return 2 * max(self.step, 1.0)

    def span(self, length: int) -> tuple[int, int]:
        """Return the first, and one after the last, of `length` pixels that the samples use."""
        first = int(np.floor(self.start - self.support))
        stop = int(np.ceil(self.start + (self.count - 1) * self.step + self.support)) + 1
        return min(max(first, 0), length - 1), max(min(stop, length), 1)


def choose_reduction(step: float) -> int:
    """Return the side of the blocks to average before samples `step` pixels apart are filtered.

    About two to four pixels a sample are left for the finer filter.
    """
    return max(1, int(step / 2))


def reduce_blocks(source: Interleaved, factor: tuple[int, int]) -> Interleaved:
    """Return means of blocks of `factor` (x, y) pixels of (H, W, C).

    A last, incomplete block is completed by repeating the edge.
    """
    if factor == (1, 1):
        return source
    height, width, channels = source.shape
    missing_rows = -height % factor[1]
    missing_columns = -width % factor[0]
    size = ((width + missing_columns) // factor[0], (height + missing_rows) // factor[1])
    parts = [source[..., c] for c in range(channels)] if channels > 4 else [source]
    planes = [_for_opencv(part) for part in parts]
    if missing_rows or missing_columns:
        planes = [
            cv2.copyMakeBorder(plane, 0, missing_rows, 0, missing_columns, cv2.BORDER_REPLICATE)
            for plane in planes
        ]
    small = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in planes]
    return _as_dtype(np.dstack(small), source.dtype)


def resample(source: Interleaved, x: Sampling, y: Sampling) -> Pixels:
    """Sample `source` (H, W, C) at `x` × `y`: (C, y.count, x.count) in the same dtype.

    Outside, the edge is repeated. The filter is a Catmull-Rom cubic (a = -0.5), widened by the
    step where that is more than a pixel. It reproduces constants and linear ramps. Keys 1981,
    "Cubic convolution interpolation for digital image processing", doi:10.1109/TASSP.1981.1163711.
    What is not finite counts for nothing; where more than half is not, the sample is NaN.
    """
    if source.dtype.kind == "f" and not np.isfinite(source).all():
        return _resample_finite(source, x, y)
    height, width, channels = source.shape
    out = np.empty((channels, y.count, x.count), source.dtype)
    row_blocks = list(_weight_blocks(y, height))
    column_blocks = list(_weight_blocks(x, width))
    for channel in range(channels):
        plane = np.ascontiguousarray(source[..., channel], np.float32)
        tall = np.empty((y.count, width), np.float32)
        for begin, stop, low, high, weight in row_blocks:
            np.matmul(weight, plane[low:high], out=tall[begin:stop])
        result = np.empty((y.count, x.count), np.float32)
        for begin, stop, low, high, weight in column_blocks:
            result[:, begin:stop] = tall[:, low:high] @ weight.T
        out[channel] = _as_dtype(result, source.dtype)
    return out


def _resample_finite(source: Interleaved, x: Sampling, y: Sampling) -> Pixels:
    """Sample the finite values of `source` alone, as means over what they weigh."""
    finite = np.isfinite(source)
    values = resample(np.where(finite, source, 0).astype(source.dtype), x, y)
    weight = resample(finite.astype(np.float32), x, y)
    is_known = weight > LEAST_FINITE_WEIGHT
    known = np.where(is_known, values / np.where(is_known, weight, 1), np.nan)
    return np.asarray(known, source.dtype)


def _weight_blocks(axis: Sampling, length: int) -> Iterator[tuple[int, int, int, int, Plane]]:
    """Yield (begin, stop, low, high, weight): samples begin:stop are weight @ pixels low:high."""
    scale = max(axis.step, 1.0)
    centres = axis.start + np.arange(axis.count) * axis.step
    taps = np.floor(centres - axis.support).astype(int)[:, None] + np.arange(
        int(np.ceil(2 * axis.support)) + 2
    )
    weight = _linear_weights((taps + 0.5 - centres[:, None]) / scale)
    taps = taps.clip(0, length - 1)
    for begin in range(0, axis.count, BLOCK_ROWS):
        used = taps[begin : begin + BLOCK_ROWS]
        count = len(used)
        low = int(used.min())
        high = int(used.max()) + 1
        dense = np.zeros((count, high - low))
        place = (np.arange(count)[:, None], used - low)
        np.add.at(dense, place, weight[begin : begin + BLOCK_ROWS])
        yield begin, begin + count, low, high, dense.astype(np.float32)


def _linear_weights(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return weights of taps at `distance` (N, taps) that reproduce a linear ramp.

    They sum to 1 and their mean position is the centre. A widened kernel sampled at whole pixels
    misses both a little, the second by up to a sixth of a pixel. A tent times a line corrects it.
    """
    weight = _cubic(distance)
    tent = np.maximum(0.0, 1 - np.abs(distance) / 2)
    weight /= weight.sum(axis=1, keepdims=True)
    tent /= tent.sum(axis=1, keepdims=True)
    missing_sum = 1 - weight.sum(axis=1)
    missing_shift = -(weight * distance).sum(axis=1)
    h0, h1, h2 = ((tent * distance**power).sum(axis=1) for power in (0, 1, 2))
    determinant = h0 * h2 - h1 * h1
    level = (missing_sum * h2 - missing_shift * h1) / determinant
    slope = (missing_shift * h0 - missing_sum * h1) / determinant
    return np.asarray(weight + (level[:, None] + slope[:, None] * distance) * tent)


def _cubic(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    t = np.abs(distance)
    inner = (1.5 * t - 2.5) * t * t + 1
    outer = ((-0.5 * t + 2.5) * t - 4) * t + 2
    return np.where(t < 1, inner, np.where(t < 2, outer, 0.0))


def _for_opencv(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the array in a dtype that OpenCV computes with."""
    if array.dtype in (np.uint8, np.uint16, np.int16, np.float32, np.float64):
        return np.ascontiguousarray(array)
    return np.ascontiguousarray(array, np.float64 if array.dtype.itemsize > 2 else np.float32)


def _as_dtype(array: npt.NDArray[Any], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Convert to `dtype`; round and clip where it is an integer one."""
    dtype = np.dtype(dtype)
    if array.dtype == dtype:
        return array
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        rounded = np.rint(array)
        return np.asarray(np.clip(rounded, limits.min, limits.max, out=rounded).astype(dtype))
    return np.asarray(array.astype(dtype))
