"""Random numbers by position: the same place gives the same number, whichever tile asks, in whatever order."""

from __future__ import annotations

import zlib
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame
from stainbridge.types import Plane

Integers: TypeAlias = npt.NDArray[np.int64]

#: Standard deviation of a cubic B-spline in three dimensions whose coefficients are uniform in ±1.
_SPLINE_STD = float(np.sqrt((151 / 315) ** 3 / 3))


def key(seed: int, *names: object) -> int:
    """A 32-bit key for one random quantity: different names, different numbers."""
    return zlib.crc32(repr((seed, *names)).encode())


def uniform(x: Integers, y: Integers, key: int) -> Plane:
    """Uniform in [0, 1) for integer lattice coordinates of broadcastable shapes, float32.

    A bit mixer by Chris Wellons, "Prospecting for hash functions" (lowbias32), applied once a coordinate.
    """
    mixed = _mix(_mix(_mix(np.array([key], np.uint32)) + y.astype(np.uint32)) + x.astype(np.uint32))
    return np.asarray((mixed >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24))


def _mix(h: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B)
    return np.asarray(h ^ (h >> np.uint32(16)))


def centres(frame: Frame) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Pixel centres of a frame along x (W,) and y (H,), in µm."""
    x = frame.origin_um[0] + (np.arange(frame.width) + 0.5) * frame.mpp[0]
    y = frame.origin_um[1] + (np.arange(frame.height) + 0.5) * frame.mpp[1]
    return x, y


def noise(frame: Frame, scale_um: float, key: int, z_um: float = 0.0) -> Plane:
    """Smooth noise of mean 0 and standard deviation 1, (H, W), at the pixel centres of `frame` in the plane `z_um`.

    A cubic B-spline through random coefficients on a cubic lattice `scale_um` apart: it varies over about that length in
    all three directions and is twice continuously differentiable.
    """
    x, y = centres(frame)
    weight_x, first_x = _spline_weights(x / scale_um)
    weight_y, first_y = _spline_weights(y / scale_um)
    weight_z, first_z = _spline_weights(np.array([z_um / scale_um]))
    columns = first_x + np.arange(weight_x.shape[1])
    rows = first_y + np.arange(weight_y.shape[1])
    coefficients = np.zeros((len(rows), len(columns)), np.float32)
    for layer, weight in enumerate(weight_z[0]):
        layer_key = (key + 0x9E3779B1 * (first_z + layer)) % 2**32
        coefficients += weight * (2 * uniform(columns[None, :], rows[:, None], layer_key) - 1)
    return np.asarray(weight_y @ coefficients @ weight_x.T / np.float32(_SPLINE_STD))


def _spline_weights(position: npt.NDArray[np.float64]) -> tuple[Plane, int]:
    """Cubic B-spline weights, (N, K), of the K lattice nodes from the returned first one, for N positions."""
    base = np.floor(position).astype(int)
    t = position - base
    taps = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1) / 6
    first = int(base.min()) - 1
    weights = np.zeros((len(position), int(base.max()) - first + 3), np.float32)
    rows = np.arange(len(position))
    for tap in range(4):
        weights[rows, base - 1 + tap - first] = taps[:, tap]
    return weights, first


def bands(phase: Plane, key: int) -> Plane:
    """Smooth one-dimensional noise of `phase` in about ±1: stripes of uneven strength, one every unit of phase."""
    period, samples = 256, 16
    frame = Frame("bands", 1, period * samples, (1 / samples, 1.0), (0.0, 0.0))
    table = noise(frame, 1.0, key)[0]
    return np.asarray(np.clip(table, -1.6, 1.6)[np.floor(phase * samples).astype(np.int32) % len(table)])
