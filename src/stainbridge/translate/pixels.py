"""Between what slides store and what generators are shown and put out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stainbridge.types import Pixels


def to_unit(pixels: Pixels) -> Tensor:
    """(C, H, W) of an unsigned integer type, or floats in 0 … 1, to float32 in −1 … 1."""
    span = float(np.iinfo(pixels.dtype).max) if pixels.dtype.kind in "iu" else 1.0
    scaled = np.ascontiguousarray(pixels, np.float32)
    return torch.from_numpy(scaled * np.float32(2 / span) - np.float32(1))


def from_unit(pictures: Tensor) -> npt.NDArray[np.uint8]:
    """(..., H, W) in −1 … 1, clipped there, to 8 bits."""
    scaled = (pictures.float().clamp(-1, 1) + 1) * 127.5
    return np.asarray(scaled.round().to(torch.uint8).cpu().numpy())
