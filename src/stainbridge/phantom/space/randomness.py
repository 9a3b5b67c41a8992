"""Random numbers by position: the same place gives the same number, whichever tile asks, in
whatever order.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from stainbridge.geometry.frame import Frame, Space
from stainbridge.types import Plane

Integers: TypeAlias = npt.NDArray[np.int64]

#: Mean of the sum of squared cubic B-spline weights: what interpolation leaves of variance in one
#: dimension.
_SPLINE_VARIANCE = 151 / 315


def derive_key(seed: int, *names: object) -> int:
    """A 32-bit key for one random quantity: different names, different numbers."""
    return zlib.crc32(repr((int(seed), *names)).encode())


def hash_uniform(x: Integers, y: Integers, derive_key: int) -> Plane:
    """Uniform in [0, 1) for integer lattice coordinates of broadcastable shapes, float32.

    A bit mixer by Chris Wellons, "Prospecting for hash functions" (lowbias32), applied once a
    coordinate.
    """
    mixed = _mix(_mix(_mix(np.array([derive_key], np.uint32)) + y.astype(np.uint32)) + x.astype(np.uint32))
    return np.asarray((mixed >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24))


def _mix(h: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B)
    return np.asarray(h ^ (h >> np.uint32(16)))


def compute_axis_centres(frame: Frame) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Pixel centres of a frame along x (W,) and y (H,), in µm."""
    x = np.arange(0.5, frame.width) * frame.mpp[0] + frame.origin_um[0]
    y = np.arange(0.5, frame.height) * frame.mpp[1] + frame.origin_um[1]
    return np.asarray(x, float), np.asarray(y, float)


def sample_noise(frame: Frame, scale_um: float, derive_key: int, z_um: float | None = None) -> Plane:
    """Smooth noise of mean 0 and standard deviation 1, (H, W), at the pixel centres of `frame` in
    the plane `z_um`.

    A cubic B-spline through random coefficients on a lattice `scale_um` apart: it varies over about
    that length in all three directions and is twice continuously differentiable. Without `z_um` it
    is a noise of the plane only.
    """
    (left, top), (width, height) = frame.origin_um, frame.mpp
    weight_x, first_x = _spline_weights(left / scale_um, width / scale_um, frame.width)
    weight_y, first_y = _spline_weights(top / scale_um, height / scale_um, frame.height)
    columns: Integers = (first_x + np.arange(weight_x.shape[1]))[None, :]
    rows: Integers = (first_y + np.arange(weight_y.shape[1]))[:, None]
    if z_um is None:
        coefficients, dimensions = 2 * hash_uniform(columns, rows, derive_key) - 1, 2
    else:
        weight_z, first_z = _spline_weights(z_um / scale_um - 0.5, 1.0, 1)
        layers = ((derive_key + 0x9E3779B1 * (first_z + layer)) % 2**32 for layer in range(4))
        planes = (2 * hash_uniform(columns, rows, layer) - 1 for layer in layers)
        coefficients = np.sum(
            [w * plane for w, plane in zip(weight_z.data, planes, strict=True)], axis=0
        )
        dimensions = 3
    normal = np.float32(1 / np.sqrt(_SPLINE_VARIANCE**dimensions / 3))
    # Along x first: what is transposed is small then. Sparse also where there are few nodes: dense
    # products are handed to threads that spin.
    along_x = np.ascontiguousarray((weight_x @ (coefficients * normal).T).T)
    return np.asarray(weight_y @ along_x, np.float32)


@lru_cache(maxsize=256)
def _spline_weights(start: float, step: float, count: int) -> tuple[Any, int]:
    """Cubic B-spline weights, (count, K), at `start + (i + 0.5) step`, of the K lattice nodes from
    the returned one.
    """
    position = start + (np.arange(count) + 0.5) * step
    base = np.floor(position).astype(int)
    t = position - base
    taps = (
        np.stack(
            [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1
        )
        / 6
    )
    first = int(base[0]) - 1
    nodes = base[:, None] + np.arange(-1, 3) - first
    weights = taps.astype(np.float32).ravel(), nodes.ravel(), np.arange(0, 4 * count + 1, 4)
    return csr_array(weights, shape=(count, int(base[-1]) - first + 3)), first


def sample_stripes(phase: Plane, derive_key: int) -> Plane:
    """Smooth one-dimensional noise of `phase` in about ±1: stripes of uneven strength, one every
    unit of phase.
    """
    period, samples = 256, 16
    frame = Space("bands", 1, period * samples, (1 / samples, 1.0)).frame
    table = sample_noise(frame, 1.0, derive_key)[0]
    return np.asarray(
        np.clip(table, -1.6, 1.6)[np.floor(phase * samples).astype(np.int32) % len(table)]
    )
