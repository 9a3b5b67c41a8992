"""Random numbers by position: a place has the same number whichever tile asks for it."""

from __future__ import annotations

import zlib
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from stainbridge.geometry.frame import Frame, Space
from stainbridge.types import Plane

Integers: TypeAlias = npt.NDArray[np.int64]

#: Mean of the sum of squared cubic B-spline weights: the share of the variance that interpolation
#: leaves in one dimension.
_SPLINE_VARIANCE = 151 / 315
#: Stripe noise repeats after this many periods of its phase.
_STRIPE_PERIODS = 256
#: Samples of stripe noise per period.
_STRIPE_SAMPLES = 16


def derive_key(seed: int, *names: object) -> int:
    """Return a 32-bit key for one random quantity; different names give different numbers."""
    return zlib.crc32(repr((int(seed), *names)).encode())


def hash_uniform(x: Integers, y: Integers, key: int) -> Plane:
    """Return float32 numbers, uniform in [0, 1), for integer lattice coordinates.

    `x` and `y` have broadcastable shapes. The bit mixer is Chris Wellons' lowbias32
    ("Prospecting for hash functions"), applied once a coordinate.
    """
    mixed = _mix(_mix(_mix(np.array([key], np.uint32)) + y.astype(np.uint32)) + x.astype(np.uint32))
    return np.asarray((mixed >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24))


def _mix(bits: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    bits = (bits ^ (bits >> np.uint32(16))) * np.uint32(0x7FEB352D)
    bits = (bits ^ (bits >> np.uint32(15))) * np.uint32(0x846CA68B)
    return np.asarray(bits ^ (bits >> np.uint32(16)))


def compute_axis_centres(frame: Frame) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the pixel centres of a frame along x, (W,), and along y, (H,), in µm."""
    x = np.arange(0.5, frame.width) * frame.mpp[0] + frame.origin_um[0]
    y = np.arange(0.5, frame.height) * frame.mpp[1] + frame.origin_um[1]
    return np.asarray(x, float), np.asarray(y, float)


def sample_noise(frame: Frame, scale_um: float, key: int, z_um: float | None = None) -> Plane:
    """Return smooth noise of mean 0 and standard deviation 1, (H, W), at the pixel centres.

    The noise is a cubic B-spline through random coefficients on a lattice `scale_um` apart. It
    varies over about that length and is twice continuously differentiable. With a depth `z_um` it
    is three-dimensional noise, cut in that plane; without one it is two-dimensional.
    """
    left, top = frame.origin_um
    width_um, height_um = frame.mpp
    weight_x, first_x = _spline_weights(left / scale_um, width_um / scale_um, frame.width)
    weight_y, first_y = _spline_weights(top / scale_um, height_um / scale_um, frame.height)
    columns: Integers = (first_x + np.arange(weight_x.shape[1]))[None, :]
    rows: Integers = (first_y + np.arange(weight_y.shape[1]))[:, None]
    if z_um is None:
        coefficients = 2 * hash_uniform(columns, rows, key) - 1
        dimensions = 2
    else:
        coefficients = _interpolate_layers(columns, rows, key, z_um / scale_um)
        dimensions = 3
    normal = np.float32(1 / np.sqrt(_SPLINE_VARIANCE**dimensions / 3))
    # Interpolate along x first, so that the transposed array is small. The products are sparse also
    # where there are few nodes: dense ones run in threads that spin.
    along_x = np.ascontiguousarray((weight_x @ (coefficients * normal).T).T)
    return np.asarray(weight_y @ along_x, np.float32)


def _interpolate_layers(columns: Integers, rows: Integers, key: int, depth: float) -> Plane:
    """Return the coefficients of the plane at `depth`, counted in lattice layers."""
    weights, first = _spline_weights(depth - 0.5, 1.0, 1)
    layer_keys = ((key + 0x9E3779B1 * (first + layer)) % 2**32 for layer in range(4))
    layers = (2 * hash_uniform(columns, rows, layer_key) - 1 for layer_key in layer_keys)
    weighted = [weight * layer for weight, layer in zip(weights.data, layers, strict=True)]
    return np.asarray(np.sum(weighted, axis=0))


def _spline_weights(start: float, step: float, count: int) -> tuple[Any, int]:
    """Return cubic B-spline weights, (count, K), of K lattice nodes, and the first node's index.

    Row i holds the weights at the lattice position `start + (i + 0.5) step`.
    """
    position = start + (np.arange(count) + 0.5) * step
    base = np.floor(position).astype(int)
    t = position - base
    pieces = [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
    taps = np.stack(pieces, axis=1) / 6
    first = int(base[0]) - 1
    nodes = base[:, None] + np.arange(-1, 3) - first
    weights = taps.astype(np.float32).ravel(), nodes.ravel(), np.arange(0, 4 * count + 1, 4)
    return csr_array(weights, shape=(count, int(base[-1]) - first + 3)), first


def sample_stripes(phase: Plane, key: int) -> Plane:
    """Return smooth one-dimensional noise of `phase`, within about ±1.

    It looks like stripes of uneven strength, one every unit of phase.
    """
    samples = _STRIPE_PERIODS * _STRIPE_SAMPLES
    frame = Space("stripes", 1, samples, (1 / _STRIPE_SAMPLES, 1.0)).frame
    table = np.clip(sample_noise(frame, 1.0, key)[0], -1.6, 1.6)
    return np.asarray(table[np.floor(phase * _STRIPE_SAMPLES).astype(np.int32) % len(table)])
