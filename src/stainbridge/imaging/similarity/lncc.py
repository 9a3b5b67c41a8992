"""Local normalised cross-correlation, with its exact gradient written out.

Avants et al. 2008, "Symmetric diffeomorphic image registration with cross-correlation",
doi:10.1016/j.media.2007.06.004.
Autograd through five box filters costs three times what the closed form below does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import Function


def box_sum(x: Tensor, radius: int) -> Tensor:
    """Sums over (2·radius + 1)² windows of (..., H, W), zeros outside; running sums, so any radius costs the same.

    On the CPU, and where no gradient is asked for, by OpenCV, three times as fast.
    """
    size = 2 * radius + 1
    if x.device.type == "cpu" and not (x.requires_grad and torch.is_grad_enabled()):
        return _box_sum_cpu(x, size)
    x = F.pad(x, (radius + 1, radius, radius + 1, radius)).cumsum(-2)
    x = (x[..., size:, :] - x[..., :-size, :]).cumsum(-1)
    return x[..., size:] - x[..., :-size]


def _box_sum_cpu(x: Tensor, size: int) -> Tensor:
    planes = x.detach().contiguous().view(-1, *x.shape[-2:]).numpy()
    sums = np.empty_like(planes)
    for plane, out in zip(planes, sums, strict=True):
        cv2.boxFilter(plane, -1, (size, size), dst=out, normalize=False, borderType=cv2.BORDER_CONSTANT)
    return torch.from_numpy(sums).view(x.shape)


@dataclass(frozen=True, eq=False)
class LocalNCC:
    """Local NCC against one fixed image, whose window statistics are computed once.

    `fixed` is (1, C, H, W); `noise` is added to both local variances, so that flat windows say nothing.
    """

    fixed: Tensor
    radius: int
    noise: float
    count: Tensor
    mean: Tensor
    variance: Tensor

    @classmethod
    def of(cls, fixed: Tensor, radius: int, noise: float = 1e-3) -> LocalNCC:
        """Prepare the fixed side, (1, C, H, W)."""
        count = box_sum(torch.ones_like(fixed), radius)
        mean = box_sum(fixed, radius) / count
        variance = (box_sum(fixed * fixed, radius) / count - mean * mean).clamp_min(0) + noise
        return cls(fixed, radius, noise, count, mean, variance)

    def __call__(self, moving: Tensor, weight: Tensor) -> Tensor:
        """Weighted sums of the local correlation with `moving` (B, C, H, W), as (B,); `weight` broadcasts to it."""
        score: Tensor = _LocalNCC.apply(moving, weight, self)  # type: ignore[no-untyped-call]
        return score

    def windows(self, moving: Tensor) -> Tensor:
        """The local correlation with `moving` (B, C, H, W) of the window about every pixel, in that shape."""
        return _statistics(moving, self)[2]

    def focus(self, weight: Tensor, power: float = 1.0) -> Tensor:
        """`weight` (1, 1, H, W) times a power of the first plane's local variance, to sum up to 1 over all planes.

        Windows that show structure count, those that show little but noise hardly do.
        """
        focused = weight * self.variance[:, :1] ** power
        return focused / (focused.sum() * self.fixed.shape[1]).clamp_min(1e-12)


def local_ncc(
    fixed: Tensor, moving: Tensor, weight: Tensor | None = None, radius: int = 4, noise: float = 1e-3
) -> Tensor:
    """Mean local NCC of (N, 1, H, W) pictures over windows of (2·radius + 1)², −1 to 1, as (N,); symmetric.

    `weight` (N or 1, 1, H, W) is that of the windows' centres; windows are cut at the border. `noise` is added to the
    local variances. Differentiable in both pictures.
    """
    weight = torch.ones_like(fixed) if weight is None else weight.to(fixed).expand_as(fixed)
    score = LocalNCC.of(fixed.detach(), radius, noise)(moving, weight)
    if fixed.requires_grad:  # the same number, which now also depends on `fixed`
        swapped = LocalNCC.of(moving.detach(), radius, noise)(fixed, weight)
        score = score + swapped - swapped.detach()
    total = weight.sum((1, 2, 3))
    return score / total.where(total > 0, 1)


def _statistics(moving: Tensor, of: LocalNCC) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    mean = box_sum(moving, of.radius) / of.count
    variance = (box_sum(moving * moving, of.radius) / of.count - mean * mean).clamp_min(0) + of.noise
    scale = torch.rsqrt(of.variance * variance)
    correlation = (box_sum(of.fixed * moving, of.radius) / of.count - of.mean * mean) * scale
    return mean, variance, correlation, scale


class _LocalNCC(Function):
    @staticmethod
    def forward(ctx: Any, moving: Tensor, weight: Tensor, of: LocalNCC) -> Tensor:
        mean, variance, correlation, scale = _statistics(moving, of)
        ctx.save_for_backward(moving, weight, mean, variance, correlation, scale)
        ctx.of = of
        return (correlation * weight).sum((1, 2, 3))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        moving, weight, mean, variance, correlation, scale = ctx.saved_tensors
        of: LocalNCC = ctx.of
        a = scale * (weight / of.count)
        b = correlation / variance * (weight / of.count)
        gradient = (
            of.fixed * box_sum(a, of.radius)
            - moving * box_sum(b, of.radius)
            + box_sum(b * mean - a * of.mean, of.radius)
        )
        return gradient * grads[0].view(-1, 1, 1, 1), None, None
