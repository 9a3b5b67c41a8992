"""Random but smooth pictures, so that windows and gradients hold something."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def smooth(*shape: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """(N, C, H, W) in [0, 1]."""
    noise = torch.rand(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))
    blurred = F.avg_pool2d(F.pad(noise, (2, 2, 2, 2), mode="replicate"), 5, stride=1)
    low, high = blurred.amin((2, 3), keepdim=True), blurred.amax((2, 3), keepdim=True)
    return (blurred - low) / (high - low)


def half(like: Tensor) -> Tensor:
    """A weight, (1, 1, H, W): 1 on the left half."""
    weight = torch.zeros_like(like[:1, :1])
    weight[..., : like.shape[-1] // 2] = 1
    return weight
