"""Which windows of one picture match which windows of another, by correlation.

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
#: Added to local variances, so that flat windows correlate with nothing.
VARIANCE_FLOOR = 1e-3


@torch.no_grad()
def window_correlations(fixed: Tensor, moving: Tensor, distance: int, radius: int) -> Tensor:
    """Return the NCC of windows of fixed and moving pictures, (N, K², H, W), K = 2·distance + 1.

    Pictures are densities (N, 1, H, W); one fixed picture may serve for all moving ones. Channel
    y·K + x is that of a displacement of (x − distance, y − distance) pixels. Windows have
    (2·`radius` + 1)² pixels; pictures are continued beyond their borders. Without gradients,
    because no parameter comes before it, and in full precision, because variances are small
    differences.
    """
    height, width = fixed.shape[-2:]
    fixed = F.pad(fixed.float(), [radius] * 4, mode="replicate")
    moving = F.pad(moving.float(), [radius + distance] * 4, mode="replicate")
    fixed_mean, fixed_scale = _window_statistics(fixed, radius)
    moving_means, moving_scales = _window_statistics(moving, radius)
    count = 2 * distance + 1
    correlations = fixed.new_empty(len(moving), count * count, height, width)
    for number in range(count * count):
        y, x = divmod(number, count)
        shifted = moving[..., y : y + height + 2 * radius, x : x + width + 2 * radius]
        moving_mean = moving_means[..., y : y + height, x : x + width]
        moving_scale = moving_scales[..., y : y + height, x : x + width]
        covariance = _window_mean(fixed * shifted, radius).sub_(fixed_mean * moving_mean)
        torch.mul(
            covariance.mul_(fixed_scale), moving_scale, out=correlations[:, number : number + 1]
        )
    return correlations


def _window_statistics(picture: Tensor, radius: int) -> tuple[Tensor, Tensor]:
    """Return means of windows, and one over their standard deviations."""
    mean = _window_mean(picture, radius)
    variance = _window_mean(picture * picture, radius) - mean * mean
    return mean, (variance.clamp_min(0) + VARIANCE_FLOOR).rsqrt()


def _window_mean(picture: Tensor, radius: int) -> Tensor:
    """Return the means of windows that lie wholly on the picture."""
    return box_sum(picture, radius)[..., radius:-radius, radius:-radius] / (2 * radius + 1) ** 2


def match_windows(correlations: Tensor, best: Tensor, sharpness: Tensor) -> Tensor:
    """Return the displacement of each window, (N, 2, H, W) as (dx, dy) in pixels.

    It is the mean of all displacements of `window_correlations`, weighted by the exponential of
    `sharpness` times the correlation; `best` (N, 1, H, W) is the largest correlation. Sums are a
    product of matrices: a softmax across channels takes four times as long. Without gradients
    `correlations` is overwritten.
    """
    count = round(correlations.shape[1] ** 0.5)
    steps = torch.arange(count, device=correlations.device, dtype=correlations.dtype) - count // 2
    down, across = torch.meshgrid(steps, steps, indexing="ij")
    displacements = torch.stack([across, down, torch.ones_like(down)]).flatten(1)
    exponents = (
        sharpness * (correlations - best)
        if torch.is_grad_enabled()
        else correlations.sub_(best).mul_(sharpness)
    )
    weights = exponents.exp_().flatten(2)
    with torch.autocast(correlations.device.type, enabled=False):
        sums = displacements @ weights
    return (sums[:, :2] / sums[:, 2:]).view(len(correlations), 2, *correlations.shape[-2:])


def fit_affine_change(displacement: Tensor, weight: Tensor, unit_px: float) -> Tensor:
    """Return the affine change (N, 2, 3) that fits displacements best, weighted by `weight`.

    Displacements are (N, 2, H, W) in pixels, weights (N, 1, H, W). The change acts about the
    middle, in units of `unit_px`. It is a little smaller than the best fit, so that few matches
    change little.
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
    moments = weighted.transpose(1, 2) @ (displacement.flatten(2).transpose(1, 2) / unit_px)
    change: Tensor = torch.linalg.solve(normal, moments).transpose(1, 2)
    return change


def smooth_weighted(displacement: Tensor, weight: Tensor, radius: int = 2) -> Tensor:
    """Return weighted means of displacements (N, 2, H, W) over windows of (2·radius + 1)² pixels.

    Weights are (N, 1, H, W).
    """
    window_sum = partial(box_sum, radius=radius)
    return torch.as_tensor(window_sum(displacement * weight) / window_sum(weight).clamp_min(1e-4))
