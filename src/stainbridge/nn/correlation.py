"""Where features of one picture are found again in another's.

Dosovitskiy et al. 2015, "FlowNet: learning optical flow with convolutional networks", doi:10.1109/ICCV.2015.316.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

#: Added to the normal equations of a fit, whose weights sum to 1.
RIDGE = 1e-3


def correlations(here: Tensor, there: Tensor, distance: int) -> Tensor:
    """How features (N, C, H, W) here correlate with those there that are at most `distance` away: (N, K², H, W)."""
    height, width = here.shape[-2:]
    here, there = (F.normalize((side - side.mean(1, keepdim=True)).float(), dim=1) for side in (here, there))
    there = F.pad(there, [distance] * 4)
    shifts = [(y, x) for y in range(2 * distance + 1) for x in range(2 * distance + 1)]
    return torch.stack([(here * there[..., y : y + height, x : x + width]).sum(1) for y, x in shifts], 1)


def matches(like: Tensor, sharpness: Tensor) -> Tensor:
    """Where features are found again, (N, 2, H, W) as (dx, dy) in pixels of the features, from `correlations`.

    The mean of the distances, weighted by the exponential of `sharpness` times the correlation.
    """
    count = round(like.shape[1] ** 0.5)
    steps = torch.arange(count, device=like.device, dtype=like.dtype) - count // 2
    chance = (sharpness * like).softmax(1).view(len(like), count, count, *like.shape[-2:])
    across, down = ((chance.sum(axis) * steps.view(1, -1, 1, 1)).sum(1) for axis in (1, 2))
    return torch.stack([across, down], 1)


def affine_fit(displacement: Tensor, weight: Tensor, unit_px: float) -> Tensor:
    """The affine change (N, 2, 3) that fits displacements (N, 2, H, W) in pixels best, weighted by (N, 1, H, W).

    About the middle, in units of `unit_px`; a little less than the fit, so that few matches change little.
    """
    height, width = displacement.shape[-2:]
    rows, columns = (
        (torch.arange(n, device=displacement.device, dtype=displacement.dtype) + 0.5 - n / 2) / unit_px
        for n in (height, width)
    )
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    points = torch.stack([x, y, torch.ones_like(x)], -1).view(-1, 3)
    weight = weight.flatten(2).transpose(1, 2)
    weighted = points * (weight / weight.sum(1, keepdim=True).clamp_min(1e-6))
    normal = weighted.transpose(1, 2) @ points + RIDGE * torch.eye(3, device=points.device)
    moved = weighted.transpose(1, 2) @ (displacement.flatten(2).transpose(1, 2) / unit_px)
    found: Tensor = torch.linalg.solve(normal, moved).transpose(1, 2)
    return found


def smoothed(displacement: Tensor, weight: Tensor, radius: int = 2) -> Tensor:
    """Weighted means of displacements (N, 2, H, W) over windows of (2·radius + 1)², by (N, 1, H, W)."""
    mean = partial(F.avg_pool2d, kernel_size=2 * radius + 1, stride=1, padding=radius)
    return torch.as_tensor(mean(displacement * weight) / mean(weight).clamp_min(1e-4))
