"""Where windows of one picture are found again in another.

Dosovitskiy et al. 2015, "FlowNet: learning optical flow with convolutional networks",
doi:10.1109/ICCV.2015.316.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.similarity.lncc import box_sum

#: Added to the normal equations of a fit, whose weights sum to 1.
RIDGE = 1e-3
#: Added to local variances, so that flat windows are like nothing.
NOISE = 1e-3


@torch.no_grad()
def window_correlations(here: Tensor, there: Tensor, distance: int, radius: int) -> Tensor:
    """The NCC of windows of densities (N, 1, H, W) here with windows there at most `distance` away:
    (N, K², H, W).

    One picture here may do for all there. Windows have (2·`radius` + 1)² pixels; pictures are
    continued beyond their borders. Without gradients: no parameter comes before it. In full
    precision: variances are small differences.
    """
    height, width = here.shape[-2:]
    here, there = (
        F.pad(p.float(), [pad] * 4, mode="replicate")
        for p, pad in ((here, radius), (there, radius + distance))
    )
    mean, scale = _statistics(here, radius)
    its_means, its_scales = _statistics(there, radius)
    count = 2 * distance + 1
    found = here.new_empty(len(there), count * count, height, width)
    for number in range(count * count):
        y, x = divmod(number, count)
        moved = there[..., y : y + height + 2 * radius, x : x + width + 2 * radius]
        its_mean, its_scale = (
            plane[..., y : y + height, x : x + width] for plane in (its_means, its_scales)
        )
        covariance = _mean(here * moved, radius).sub_(mean * its_mean)
        torch.mul(covariance.mul_(scale), its_scale, out=found[:, number : number + 1])
    return found


def _statistics(picture: Tensor, radius: int) -> tuple[Tensor, Tensor]:
    """Means of windows and one over their standard deviations."""
    mean = _mean(picture, radius)
    variance = _mean(picture * picture, radius) - mean * mean
    return mean, (variance.clamp_min(0) + NOISE).rsqrt()


def _mean(picture: Tensor, radius: int) -> Tensor:
    """Of windows that lie wholly on the picture."""
    return box_sum(picture, radius)[..., radius:-radius, radius:-radius] / (2 * radius + 1) ** 2


def matches(like: Tensor, best: Tensor, sharpness: Tensor) -> Tensor:
    """Where windows are found again, (N, 2, H, W) as (dx, dy) in pixels, from
    `window_correlations`.

    The mean of the distances, weighted by the exponential of `sharpness` times the correlation, of
    which `best` (N, 1, H, W) is the largest. Sums are a product of matrices: a softmax across
    channels takes four times as long. Without gradients `like` is used up.
    """
    count = round(like.shape[1] ** 0.5)
    steps = torch.arange(count, device=like.device, dtype=like.dtype) - count // 2
    down, across = torch.meshgrid(steps, steps, indexing="ij")
    sums = torch.stack([across, down, torch.ones_like(down)]).flatten(1)
    steepness = (
        sharpness * (like - best) if torch.is_grad_enabled() else like.sub_(best).mul_(sharpness)
    )
    chance = steepness.exp_().flatten(2)
    with torch.autocast(like.device.type, enabled=False):
        along = sums @ chance
    return (along[:, :2] / along[:, 2:]).view(len(like), 2, *like.shape[-2:])


def affine_fit(displacement: Tensor, weight: Tensor, unit_px: float) -> Tensor:
    """The affine change (N, 2, 3) that fits displacements (N, 2, H, W) in pixels best, weighted by
    (N, 1, H, W).

    About the middle, in units of `unit_px`; a little less than the fit, so that few matches change
    little.
    """
    height, width = displacement.shape[-2:]
    rows, columns = (
        (torch.arange(n, device=displacement.device, dtype=displacement.dtype) + 0.5 - n / 2)
        / unit_px
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
    """Weighted means of displacements (N, 2, H, W) over windows of (2·radius + 1)², by (N, 1, H,
    W).
    """
    mean = partial(box_sum, radius=radius)
    return torch.as_tensor(mean(displacement * weight) / mean(weight).clamp_min(1e-4))
