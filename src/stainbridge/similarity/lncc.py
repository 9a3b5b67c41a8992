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
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import Function

#: Pixels of a small plane: of larger ones, many channels do not fit the processor's cache.
SMALL_PLANE = 24 * 24
#: Small planes from which on they are summed together, and most that are.
LEAST_CHANNELS = 4
MOST_CHANNELS = 64


def box_sum(x: Tensor, radius: int) -> Tensor:
    """Sum (..., H, W) over (2·radius + 1)² windows, with zeros outside.

    Running sums make the cost independent of the radius. On the CPU, where no gradient is needed,
    OpenCV does it three times as fast.
    """
    size = 2 * radius + 1
    if x.device.type == "cpu" and not (x.requires_grad and torch.is_grad_enabled()):
        return _box_sum_cpu(x, size)
    x = F.pad(x, (radius + 1, radius, radius + 1, radius)).cumsum(-2)
    x = (x[..., size:, :] - x[..., :-size, :]).cumsum(-1)
    return x[..., size:] - x[..., :-size]


def _box_sum_cpu(x: Tensor, size: int) -> Tensor:
    planes = x.detach().contiguous().view(-1, *x.shape[-2:]).numpy()
    if len(planes) >= LEAST_CHANNELS and planes[0].size <= SMALL_PLANE:
        return torch.from_numpy(_box_sum_channels(planes, size)).view(x.shape)
    sums = np.empty_like(planes)
    for plane, out in zip(planes, sums, strict=True):
        cv2.boxFilter(
            plane, -1, (size, size), dst=out, normalize=False, borderType=cv2.BORDER_CONSTANT
        )
    return torch.from_numpy(sums).view(x.shape)


def _box_sum_channels(planes: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Sum many small planes (N, H, W) as the channels of one picture: one call, the same sums."""
    sums = np.empty_like(planes)
    for first in range(0, len(planes), MOST_CHANNELS):
        part = slice(first, first + MOST_CHANNELS)
        channels = np.ascontiguousarray(planes[part].transpose(1, 2, 0))
        summed = cv2.boxFilter(
            channels, -1, (size, size), normalize=False, borderType=cv2.BORDER_CONSTANT
        )
        sums[part] = np.atleast_3d(summed).transpose(2, 0, 1)
    return sums


def normalise_locally(planes: Tensor, radius: int, noise: float = 1e-3) -> Tensor:
    """Return (B, C, H, W) of zero mean and unit variance in (2·`radius` + 1)² windows.

    `noise` is added to the variances, so that flat places are near 0.
    """
    count = box_sum(torch.ones_like(planes[:1, :1]), radius)
    mean = box_sum(planes.contiguous(), radius) / count
    square = box_sum(planes.square(), radius) / count
    return (planes - mean) * torch.rsqrt((square - mean.square()).clamp_min(0) + noise)


@dataclass(frozen=True, eq=False)
class LocalNCC:
    """Local NCC against one fixed image, whose window statistics are computed once.

    Windows of (2·`radius` + 1)² blocks are centred on every block of `step`² pixels. Neighbouring
    wide windows are nearly the same, so that they need not be centred on every pixel.
    """

    fixed: Tensor
    """The fixed picture, (1, C, H, W)."""
    radius: int
    """Half the side of a window, in blocks."""
    step: int
    """Side of a block, in pixels."""
    noise: float
    """Added to both local variances, in squared grey values, so that flat windows do not count."""
    count: Tensor
    """Pixels in each window, (1, C, ⌈H/step⌉, ⌈W/step⌉)."""
    mean: Tensor
    """Mean of each window, (1, C, ⌈H/step⌉, ⌈W/step⌉)."""
    variance: Tensor
    """Variance of each window plus `noise`, (1, C, ⌈H/step⌉, ⌈W/step⌉)."""

    @classmethod
    def of(cls, fixed: Tensor, radius: int, noise: float = 1e-3, step: int = 1) -> LocalNCC:
        """Prepare the fixed side, (1, C, H, W); `radius` in pixels is rounded to whole blocks."""
        blocks = max(1, round(((2 * radius + 1) / step - 1) / 2))
        count = _sums(torch.ones_like(fixed), blocks, step)
        mean = _sums(fixed, blocks, step) / count
        variance = (_sums(fixed * fixed, blocks, step) / count - mean * mean).clamp_min(0) + noise
        return cls(fixed, blocks, step, noise, count, mean, variance)

    def __call__(self, moving: Tensor, weight: Tensor) -> Tensor:
        """Sum the local correlation with `moving` (B, C, H, W) over the windows, as (B,).

        `weight` is of the windows, see `at_windows`, and broadcasts to (B, C, ⌈H/step⌉, ⌈W/step⌉).
        """
        score: Tensor = _LocalNCC.apply(moving, weight, self)  # type: ignore[no-untyped-call]
        return score

    def at_windows(self, x: Tensor) -> Tensor:
        """Average (..., H, W) over the block at the centre of each window."""
        return x if self.step == 1 else F.avg_pool2d(x, self.step, ceil_mode=True)

    def windows(self, moving: Tensor) -> Tensor:
        """Return the local correlation with `moving` (B, C, H, W) of every window.

        (B, C, ⌈H/step⌉, ⌈W/step⌉).
        """
        return _statistics(moving, self)[2]

    def focus(self, weight: Tensor, power: float = 1.0) -> Tensor:
        """Weight the windows by `weight` (1, 1, H, W) and a power of their variance; the sum is 1.

        The variance is that of the first channel. Windows that show structure count; those that
        show little but noise hardly do.
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
    """Return the mean local NCC of (N, 1, H, W) pictures, −1 to 1, as (N,); it is symmetric.

    Windows are (2·radius + 1)² pixels. `weight` (N or 1, 1, H, W) is that of the windows' centres;
    windows are cut at the border. `noise` is added to the local variances. Differentiable in both
    pictures.
    """
    weight = torch.ones_like(fixed) if weight is None else weight.to(fixed).expand_as(fixed)
    score = LocalNCC.of(fixed.detach(), radius, noise)(moving, weight)
    if fixed.requires_grad:  # the same number, which now also depends on `fixed`
        swapped = LocalNCC.of(moving.detach(), radius, noise)(fixed, weight)
        score = score + swapped - swapped.detach()
    total = weight.sum((1, 2, 3))
    return score / total.where(total > 0, 1)


def _sums(x: Tensor, radius: int, step: int) -> Tensor:
    """Sum over the windows of `LocalNCC`."""
    if step == 1:
        return box_sum(x, radius)
    return box_sum(F.avg_pool2d(x, step, ceil_mode=True, divisor_override=1), radius)


def _adjoint_sums(x: Tensor, radius: int, step: int, size: torch.Size) -> Tensor:
    """Apply the adjoint of `_sums`: sum (..., h, w) over the windows that hold each pixel."""
    sums = box_sum(x, radius)
    if step == 1:
        return sums
    # A tenth of what nearest interpolation costs.
    rows, columns = (torch.arange(count, device=x.device) // step for count in size)
    return sums.index_select(-1, columns).index_select(-2, rows)


def _statistics(moving: Tensor, reference: LocalNCC) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return mean and variance of the moving windows, their correlation, and its scale.

    The scale is 1 / √(variance of fixed · variance of moving).
    """
    mean = _sums(moving, reference.radius, reference.step) / reference.count
    variance = (
        _sums(moving * moving, reference.radius, reference.step) / reference.count - mean * mean
    ).clamp_min(0) + reference.noise
    scale = torch.rsqrt(reference.variance * variance)
    correlation = (
        _sums(reference.fixed * moving, reference.radius, reference.step) / reference.count
        - reference.mean * mean
    ) * scale
    return mean, variance, correlation, scale


class _LocalNCC(Function):
    @staticmethod
    def forward(ctx: Any, moving: Tensor, weight: Tensor, reference: LocalNCC) -> Tensor:
        mean, variance, correlation, scale = _statistics(moving, reference)
        ctx.save_for_backward(moving, weight, mean, variance, correlation, scale)
        ctx.reference = reference
        return (correlation * weight).sum((1, 2, 3))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        moving, weight, mean, variance, correlation, scale = ctx.saved_tensors
        reference: LocalNCC = ctx.reference
        a = scale * (weight / reference.count)
        b = correlation / variance * (weight / reference.count)
        to_pixels = partial(
            _adjoint_sums, radius=reference.radius, step=reference.step, size=moving.shape[-2:]
        )
        gradient = (
            reference.fixed * to_pixels(a)
            - moving * to_pixels(b)
            + to_pixels(b * mean - a * reference.mean)
        )
        return gradient * grads[0].view(-1, 1, 1, 1), None, None
