"""Discrete matching of windows over a wide reach, made smooth.

It shows where a section that is deformed far may have gone. Coupled convex optimisation: Heinrich,
Papież, Schnabel and Handels 2014, "Non-parametric discrete registration with convex optimisation",
doi:10.1007/978-3-319-08554-8_6; before instance optimisation as in Siebert et al. 2021
(arXiv:2112.03053). Here windows are compared by NCC, and weighted by the structure they show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.nn.correlation import window_correlations
from stainbridge.ranges import Within, check_ranges
from stainbridge.similarity.lncc import LocalNCC, box_sum

#: Distance in pixels between places that choose a match.
PLACE_STEP_PX = 2
#: Weights, round by round, of a match's squared distance in pixels from the smooth field, beside
#: 1 − NCC.
COUPLING = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
#: Least weight of a match, as a share of the largest, so that there is always a mean.
MIN_WEIGHT = 1e-3


@dataclass(frozen=True)
class MatchingConfig:
    """Settings of the window matching."""

    size_px: Annotated[int, Within(16, 2048)] = 96
    """Longest side of the pictures, in pixels."""
    distance_px: Annotated[int, Within(1, 128)] = 9
    """Farthest match, in pixels."""
    radius: Annotated[int, Within(1, 64)] = 3
    """Radius of the windows, in pixels."""
    smooth_px: Annotated[int, Within(1, 256)] = 6
    """Radius that matches are smoothed over, in pixels."""
    steps: Annotated[int, Within(0, 100_000)] = 40
    """Gradient steps from the smoothed matches."""

    def __post_init__(self) -> None:
        check_ranges(self)


@torch.no_grad()
def match_windows(fixed: Tensor, moving: Tensor, weight: Tensor, config: MatchingConfig) -> Tensor:
    """Return where pixels of `fixed` (1, C, H, W) are in `moving`, as (1, 2, H, W).

    Channels are dx and dy in pixels. `weight` (1, 1, H, W) says where it counts. In turn every
    place takes the match that is similar and near the smooth field, and the field is smoothed
    again. Nearness weighs more every round.
    """
    trust = LocalNCC.of(fixed, config.radius).variance[:, :1] * weight
    pooled = _pool(_correlate_windows(fixed, moving, config), trust)
    dissimilarity = 1 - pooled[0].flatten(1).T
    trust = F.avg_pool2d(trust, PLACE_STEP_PX, ceil_mode=True)
    trust = trust / trust.max().clamp_min(1e-12) + MIN_WEIGHT
    steps = torch.arange(2 * config.distance_px + 1.0) - config.distance_px
    down, across = torch.meshgrid(steps, steps, indexing="ij")
    moves = torch.stack([across.flatten(), down.flatten()], 1)

    def smooth_best(cost: Tensor) -> Tensor:
        chosen = moves[cost.argmin(1)].T.reshape(1, 2, *trust.shape[-2:])
        return _smooth(chosen * trust, config) / _smooth(trust, config)

    field = smooth_best(dissimilarity)
    for coupling in COUPLING:
        current = field[0].flatten(1).T
        norms = (current * current).sum(1, keepdim=True)
        distance = norms - 2 * current @ moves.T + (moves * moves).sum(1)
        field = smooth_best(dissimilarity + coupling * distance)
    return F.interpolate(field, fixed.shape[-2:], mode="bilinear", align_corners=False)


def _correlate_windows(fixed: Tensor, moving: Tensor, config: MatchingConfig) -> Tensor:
    """Return the mean NCC of the planes' windows at every distance, (1, K², H, W)."""
    correlations = window_correlations(
        fixed.transpose(0, 1), moving.transpose(0, 1), config.distance_px, config.radius
    )
    return correlations.mean(0, keepdim=True)


def _pool(correlation: Tensor, trust: Tensor) -> Tensor:
    """Return means over blocks, weighted by trust."""
    total = F.avg_pool2d(trust, PLACE_STEP_PX, ceil_mode=True).clamp_min(1e-9)
    return F.avg_pool2d(correlation * trust, PLACE_STEP_PX, ceil_mode=True) / total


def _smooth(x: Tensor, config: MatchingConfig) -> Tensor:
    """Return sums over a box, twice: nearly Gaussian."""
    radius = max(1, round(config.smooth_px / PLACE_STEP_PX))
    return box_sum(box_sum(x, radius), radius)
