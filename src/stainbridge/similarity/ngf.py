"""Normalised gradient fields: the same edges in the same places, whatever their sign and strength.

Haber & Modersitzki 2006, "Intensity gradient based registration and fusion of multi-modal images",
doi:10.1007/11866763_89.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def unit_gradients(x: Tensor, noise: float = 0.03) -> Tensor:
    """Return gradients (N, 2, H, W), channels x and y, of (N, 1, H, W), of length below 1.

    They are divided by √(squared length + noise²). `noise` is in grey values per pixel; weaker
    edges count little. Borders are continued.
    """
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    across = x[..., 1:-1, 2:] - x[..., 1:-1, :-2]
    down = x[..., 2:, 1:-1] - x[..., :-2, 1:-1]
    gradient = torch.cat([across, down], 1) / 2
    return gradient / (gradient.square().sum(1, keepdim=True) + noise**2).sqrt()


def ngf(fixed: Tensor, moving: Tensor, weight: Tensor | None = None, noise: float = 0.03) -> Tensor:
    """Return the share of the edges of `fixed` that `moving` has too, 0 to 1, as (N,).

    Pictures are (N, 1, H, W). The share is the squared inner product of the unit gradients over the
    squared length of those of `fixed`. Both are summed with `weight`, which broadcasts to the
    pictures. A picture without edges shares none.
    """
    unit = unit_gradients(fixed, noise)
    shared = (unit * unit_gradients(moving, noise)).sum(1, keepdim=True).square()
    strength = unit.square().sum(1, keepdim=True)
    if weight is not None:
        shared = shared * weight
        strength = strength * weight
    return shared.sum((1, 2, 3)) / strength.sum((1, 2, 3)).clamp_min(1e-6)
