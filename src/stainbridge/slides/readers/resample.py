"""Anti-aliased resampling of an axis-parallel grid at exact sub-pixel positions, as blocked matrix
products.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.types import Pixels, Plane

#: Rows of output made by one matrix product; 32 was the fastest of 16, 32, 64, 128.
BLOCK = 32

Interleaved = npt.NDArray[Any]  # (H, W, C)


@dataclass(frozen=True)
class Sampling:
    """`count` samples of one axis: sample i is centred at coordinate `start + i·step`, where pixel
    0 spans 0..1.
    """

    start: float
    step: float
    count: int

    def part(self, first: int, stop: int) -> Sampling:
        """Samples `first` up to, not including, `stop`."""
        return Sampling(self.start + first * self.step, self.step, stop - first)

    def reduced(self, factor: int, first_px: int) -> Sampling:
        """The same samples on an axis that begins at pixel `first_px` and whose pixels are `factor`
        times as large.
        """
        return Sampling((self.start - first_px) / factor, self.step / factor, self.count)

    @property
    def support(self) -> float:
        """Half the width of the filter, in pixels."""
        return 2 * max(self.step, 1.0)

    def span(self, length: int) -> tuple[int, int]:
        """First and last-plus-one of the pixels, of `length`, that the samples depend on."""
        first = int(np.floor(self.start - self.support))
        stop = int(np.ceil(self.start + (self.count - 1) * self.step + self.support)) + 1
        return min(max(first, 0), length - 1), max(min(stop, length), 1)


def choose_reduction(step: float) -> int:
    """By how much to average blocks first, so that about two to four pixels are left for a sample's
    finer filter.
    """
    return max(1, int(step / 2))


def reduce_blocks(source: Interleaved, factor: tuple[int, int]) -> Interleaved:
    """Means of blocks of `factor` (x, y) pixels of (H, W, C); a last, incomplete block repeats the
    edge.
    """
    if factor == (1, 1):
        return source
    height, width, channels = source.shape
    below, right = -height % factor[1], -width % factor[0]
    size = ((width + right) // factor[0], (height + below) // factor[1])
    planes = (
        [_native(source[..., c]) for c in range(channels)] if channels > 4 else [_native(source)]
    )
    if below or right:
        planes = [
            cv2.copyMakeBorder(plane, 0, below, 0, right, cv2.BORDER_REPLICATE) for plane in planes
        ]
    small = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in planes]
    return _as_dtype(np.dstack(small), source.dtype)


def resample(source: Interleaved, x: Sampling, y: Sampling) -> Pixels:
    """`source` (H, W, C) sampled at `x` × `y`, (C, y.count, x.count) in the same dtype; the edge is
    repeated outside.

    A Catmull-Rom cubic (a = -0.5), widened by the step where that is more than a pixel: Keys 1981,
    "Cubic convolution interpolation for digital image processing", doi:10.1109/TASSP.1981.1163711.
    Constants and linear ramps are kept.
    """
    height, width, channels = source.shape
    out = np.empty((channels, y.count, x.count), source.dtype)
    rows, columns = list(_weights(y, height)), list(_weights(x, width))
    for channel in range(channels):
        plane = np.ascontiguousarray(source[..., channel], np.float32)
        tall = np.empty((y.count, width), np.float32)
        for begin, stop, low, high, weight in rows:
            np.matmul(weight, plane[low:high], out=tall[begin:stop])
        result = np.empty((y.count, x.count), np.float32)
        for begin, stop, low, high, weight in columns:
            result[:, begin:stop] = tall[:, low:high] @ weight.T
        out[channel] = _as_dtype(result, source.dtype)
    return out


def _weights(axis: Sampling, length: int) -> Iterator[tuple[int, int, int, int, Plane]]:
    """Blocks (begin, stop, low, high, weight): samples begin:stop are weight @ pixels low:high."""
    scale = max(axis.step, 1.0)
    centres = axis.start + np.arange(axis.count) * axis.step
    taps = np.floor(centres - axis.support).astype(int)[:, None] + np.arange(
        int(np.ceil(2 * axis.support)) + 2
    )
    weight = _centred_weights((taps + 0.5 - centres[:, None]) / scale)
    taps = taps.clip(0, length - 1)
    for begin in range(0, axis.count, BLOCK):
        of = taps[begin : begin + BLOCK]
        low, high = int(of.min()), int(of.max()) + 1
        dense = np.zeros((len(of), high - low))
        np.add.at(dense, (np.arange(len(of))[:, None], of - low), weight[begin : begin + BLOCK])
        yield begin, begin + len(of), low, high, dense.astype(np.float32)


def _centred_weights(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weights of taps at `distance` (N, taps) that sum to 1 and whose mean position is the centre.

    A widened kernel sampled at whole pixels misses both a little, the second by up to a sixth of a
    pixel; a tent times a line makes up for it, so that a linear ramp is reproduced.
    """
    weight, tent = _cubic(distance), np.maximum(0.0, 1 - np.abs(distance) / 2)
    weight /= weight.sum(axis=1, keepdims=True)
    tent /= tent.sum(axis=1, keepdims=True)
    missing_sum, missing_shift = 1 - weight.sum(axis=1), -(weight * distance).sum(axis=1)
    h0, h1, h2 = ((tent * distance**power).sum(axis=1) for power in (0, 1, 2))
    determinant = h0 * h2 - h1 * h1
    level = (missing_sum * h2 - missing_shift * h1) / determinant
    slope = (missing_shift * h0 - missing_sum * h1) / determinant
    return np.asarray(weight + (level[:, None] + slope[:, None] * distance) * tent)


def _cubic(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    t = np.abs(distance)
    near = (1.5 * t - 2.5) * t * t + 1
    far = ((-0.5 * t + 2.5) * t - 4) * t + 2
    return np.where(t < 1, near, np.where(t < 2, far, 0.0))


def _native(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """In a dtype OpenCV computes with."""
    if array.dtype in (np.uint8, np.uint16, np.int16, np.float32, np.float64):
        return np.ascontiguousarray(array)
    return np.ascontiguousarray(array, np.float64 if array.dtype.itemsize > 2 else np.float32)


def _as_dtype(array: npt.NDArray[Any], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Rounded and clipped where `dtype` is an integer one."""
    dtype = np.dtype(dtype)
    if array.dtype == dtype:
        return array
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        rounded = np.rint(array)
        return np.asarray(np.clip(rounded, limits.min, limits.max, out=rounded).astype(dtype))
    return np.asarray(array.astype(dtype))
