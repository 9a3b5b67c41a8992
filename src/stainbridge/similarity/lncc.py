"""Local normalised cross-correlation, with its exact gradient written out.

Avants et al. 2008, "Symmetric diffeomorphic image registration with cross-correlation",
doi:10.1016/j.media.2007.06.004.
Autograd through five box filters costs three times what the closed form below does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import Function


def box_sum(x: Tensor, radius: int) -> Tensor:
    """Sums over (2·radius + 1)² windows of (..., H, W), zeros outside; running sums, so any radius
    costs the same.

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
        cv2.boxFilter(
            plane, -1, (size, size), dst=out, normalize=False, borderType=cv2.BORDER_CONSTANT
        )
    return torch.from_numpy(sums).view(x.shape)


@dataclass(frozen=True, eq=False)
class LocalNCC:
    """Local NCC against one fixed image, whose window statistics are computed once.

    `fixed` is (1, C, H, W); `noise` is added to both local variances, so that flat windows say
    nothing. Windows of (2·`radius` + 1)² blocks stand about every block of `step`² pixels:
    neighbouring windows say nearly the same, and wide ones need not stand about every pixel.
    `count`, `mean` and `variance` are (1, C, ⌈H/step⌉, ⌈W/step⌉).
    """

    fixed: Tensor
    radius: int
    step: int
    noise: float
    count: Tensor
    mean: Tensor
    variance: Tensor

    @classmethod
    def of(cls, fixed: Tensor, radius: int, noise: float = 1e-3, step: int = 1) -> LocalNCC:
        """Prepare the fixed side, (1, C, H, W); `radius` in pixels is rounded to whole blocks."""
        blocks = max(1, round(((2 * radius + 1) / step - 1) / 2))
        count = _sums(torch.ones_like(fixed), blocks, step)
        mean = _sums(fixed, blocks, step) / count
        variance = (_sums(fixed * fixed, blocks, step) / count - mean * mean).clamp_min(0) + noise
        return cls(fixed, blocks, step, noise, count, mean, variance)

    def __call__(self, moving: Tensor, weight: Tensor) -> Tensor:
        """Weighted sums of the local correlation with `moving` (B, C, H, W), as (B,).

        `weight` is of the windows, see `at_windows`, and broadcasts to (B, C, ⌈H/step⌉, ⌈W/step⌉).
        """
        score: Tensor = _LocalNCC.apply(moving, weight, self)  # type: ignore[no-untyped-call]
        return score

    def at_windows(self, x: Tensor) -> Tensor:
        """Means over the block that each window stands about, of (..., H, W)."""
        return x if self.step == 1 else F.avg_pool2d(x, self.step, ceil_mode=True)

    def windows(self, moving: Tensor) -> Tensor:
        """The local correlation with `moving` (B, C, H, W) of every window, (B, C, ⌈H/step⌉,
        ⌈W/step⌉).
        """
        return _statistics(moving, self)[2]

    def focus(self, weight: Tensor, power: float = 1.0) -> Tensor:
        """`weight` (1, 1, H, W) at the windows times a power of the first plane's local variance,
        of sum 1 over all.

        Windows that show structure count, those that show little but noise hardly do.
        """
        focused = self.at_windows(weight) * self.variance[:, :1] ** power
        return focused / (focused.sum() * self.fixed.shape[1]).clamp_min(1e-12)


def local_ncc(
    fixed: Tensor,
    moving: Tensor,
    weight: Tensor | None = None,
    radius: int = 4,
    noise: float = 1e-3,
) -> Tensor:
    """Mean local NCC of (N, 1, H, W) pictures over windows of (2·radius + 1)², −1 to 1, as (N,);
    symmetric.

    `weight` (N or 1, 1, H, W) is that of the windows' centres; windows are cut at the border.
    `noise` is added to the local variances. Differentiable in both pictures.
    """
    weight = torch.ones_like(fixed) if weight is None else weight.to(fixed).expand_as(fixed)
    score = LocalNCC.of(fixed.detach(), radius, noise)(moving, weight)
    if fixed.requires_grad:  # the same number, which now also depends on `fixed`
        swapped = LocalNCC.of(moving.detach(), radius, noise)(fixed, weight)
        score = score + swapped - swapped.detach()
    total = weight.sum((1, 2, 3))
    return score / total.where(total > 0, 1)


def _sums(x: Tensor, radius: int, step: int) -> Tensor:
    """Sums over the windows of `LocalNCC`."""
    if step == 1:
        return box_sum(x, radius)
    return box_sum(F.avg_pool2d(x, step, ceil_mode=True, divisor_override=1), radius)


def _spread(x: Tensor, radius: int, step: int, size: torch.Size) -> Tensor:
    """The adjoint of `_sums`: of (..., h, w) at the windows, the sum over those that hold each
    pixel.
    """
    sums = box_sum(x, radius)
    if step == 1:
        return sums
    rows, columns = (torch.arange(count, device=x.device) // step for count in size)
    return sums.index_select(-1, columns).index_select(
        -2, rows
    )  # a tenth of what nearest interpolation costs


def _statistics(moving: Tensor, of: LocalNCC) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    mean = _sums(moving, of.radius, of.step) / of.count
    variance = (_sums(moving * moving, of.radius, of.step) / of.count - mean * mean).clamp_min(
        0
    ) + of.noise
    scale = torch.rsqrt(of.variance * variance)
    correlation = (_sums(of.fixed * moving, of.radius, of.step) / of.count - of.mean * mean) * scale
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
        to_pixels = partial(_spread, radius=of.radius, step=of.step, size=moving.shape[-2:])
        gradient = (
            of.fixed * to_pixels(a) - moving * to_pixels(b) + to_pixels(b * mean - a * of.mean)
        )
        return gradient * grads[0].view(-1, 1, 1, 1), None, None
