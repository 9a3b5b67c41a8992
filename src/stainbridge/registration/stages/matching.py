"""Discrete matching of windows over a wide reach, made smooth: where a section that is bent far may
have gone.

Coupled convex optimisation: Heinrich, Papież, Schnabel and Handels 2014, "Non-parametric discrete
registration with convex optimisation", doi:10.1007/978-3-319-08554-8_6; before instance
optimisation as in Siebert et al. 2021 (arXiv:2112.03053). Here windows are compared by NCC, and
count as they show structure of the tissue.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.nn.correlation import window_correlations
from stainbridge.registration.config import MatchingConfig
from stainbridge.similarity.lncc import LocalNCC, box_sum

#: Matches are kept on every second pixel.
APART = 2
#: Weights, one after another, of a match's squared distance in pixels from the smooth field, beside
#: 1 − NCC.
COUPLING = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
#: Least weight of a match, of the largest, so that there is always a mean.
LEAST = 1e-3


@torch.no_grad()
def matched(fixed: Tensor, moving: Tensor, weight: Tensor, config: MatchingConfig) -> Tensor:
    """Where pixels of `fixed` (1, C, H, W) are found in `moving`, as large, (1, 2, H, W): (dx, dy)
    in pixels.

    `weight` (1, 1, H, W) says where it counts. In turn every place takes the match that is like it
    and near the smooth field, and the field is made smooth again, while nearness weighs ever more.
    """
    trust = LocalNCC.of(fixed, config.radius).variance[:, :1] * weight
    unlike = 1 - _pooled(_likeness(fixed, moving, config), trust)[0].flatten(1).T
    trust = F.avg_pool2d(trust, APART, ceil_mode=True)
    trust = trust / trust.max().clamp_min(1e-12) + LEAST
    steps = torch.arange(2 * config.distance_px + 1.0) - config.distance_px
    down, across = torch.meshgrid(steps, steps, indexing="ij")
    moves = torch.stack([across.flatten(), down.flatten()], 1)

    def smooth(cost: Tensor) -> Tensor:
        chosen = moves[cost.argmin(1)].T.reshape(1, 2, *trust.shape[-2:])
        return _mean(chosen * trust, config) / _mean(trust, config)

    field = smooth(unlike)
    for coupling in COUPLING:
        here = field[0].flatten(1).T
        away = (here * here).sum(1, keepdim=True) - 2 * here @ moves.T + (moves * moves).sum(1)
        field = smooth(unlike + coupling * away)
    return F.interpolate(field, fixed.shape[-2:], mode="bilinear", align_corners=False)


def _likeness(fixed: Tensor, moving: Tensor, config: MatchingConfig) -> Tensor:
    """Mean NCC of the planes' windows at every distance, (1, K², H, W)."""
    found = window_correlations(
        fixed.transpose(0, 1), moving.transpose(0, 1), config.distance_px, config.radius
    )
    return found.mean(0, keepdim=True)


def _pooled(like: Tensor, trust: Tensor) -> Tensor:
    """Means over blocks, weighted by trust."""
    total = F.avg_pool2d(trust, APART, ceil_mode=True).clamp_min(1e-9)
    return F.avg_pool2d(like * trust, APART, ceil_mode=True) / total


def _mean(x: Tensor, config: MatchingConfig) -> Tensor:
    """Sums that are nearly Gaussian: of a box twice."""
    radius = max(1, round(config.smooth_px / APART))
    return box_sum(box_sum(x, radius), radius)
