"""Normalised gradient fields: the same edges in the same places, whatever their sign and strength.

Haber & Modersitzki 2006, "Intensity gradient based registration and fusion of multi-modal images",
doi:10.1007/11866763_89.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def unit_gradients(x: Tensor, noise: float = 0.03) -> Tensor:
    """Gradients (N, 2, H, W), channels x and y, of (N, 1, H, W) over √(their squared length +
    noise²): shorter than 1.

    `noise` is in grey values a pixel; weaker edges count for little. Borders are continued.
    """
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    g = (
        torch.cat([x[..., 1:-1, 2:] - x[..., 1:-1, :-2], x[..., 2:, 1:-1] - x[..., :-2, 1:-1]], 1)
        / 2
    )
    return g / (g.square().sum(1, keepdim=True) + noise**2).sqrt()


def ngf(fixed: Tensor, moving: Tensor, weight: Tensor | None = None, noise: float = 0.03) -> Tensor:
    """Share of the edges of `fixed` that `moving` has too, 0 to 1, of (N, 1, H, W) pictures, as
    (N,).

    The squared inner product of the unit gradients over the squared length of those of `fixed`,
    both summed with `weight`, which broadcasts to the pictures. A picture without edges shares
    none.
    """
    unit = unit_gradients(fixed, noise)
    shared = (unit * unit_gradients(moving, noise)).sum(1, keepdim=True).square()
    strength = unit.square().sum(1, keepdim=True)
    if weight is not None:
        shared, strength = shared * weight, strength * weight
    return shared.sum((1, 2, 3)) / strength.sum((1, 2, 3)).clamp_min(1e-6)
