"""Where windows of one picture lie in the other, by their NCC: what a network need not learn."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stainbridge.nn.correlation import matches, smoothed, window_correlations

SHARPNESS = 20.0
#: Least trust in a match, so that there is always a mean.
LEAST_TRUST = 1e-3


class Matches(NamedTuple):
    """`told` (N, C, H, W): what a network hears of the correlations; `displacement` (N, 2, H, W) in
    pixels as (dx, dy): where windows are found again; `trust` (N, 1, H, W): how much to make of
    each.
    """

    told: Tensor
    displacement: Tensor
    trust: Tensor


class WindowMatches(nn.Module):
    """Pictures (N, 1, H, W) to what their windows say of each other, at most `distance` apart.

    Windows have (2·`radius` + 1)² pixels; as many as (2·`neighbours` + 1)² of them are averaged. A
    network hears `summary` channels of a 1 x 1 convolution over the correlations, the displacement
    and the best correlation: `told` channels. Trust is learned, times the square of the best
    correlation.
    """

    def __init__(self, distance: int, summary: int, radius: int = 6, neighbours: int = 8) -> None:
        super().__init__()
        self.distance, self.radius, self.neighbours = distance, radius, neighbours
        self.told = summary + 3
        self.log_sharpness = nn.Parameter(torch.tensor(SHARPNESS).log())
        convolution = nn.Conv2d((2 * distance + 1) ** 2, summary, 1)
        nn.init.kaiming_normal_(convolution.weight, 0.2)
        self.summary = nn.Sequential(convolution, nn.LeakyReLU(0.2))
        self.trust = nn.Conv2d(self.told, 1, 3, padding=1)
        nn.init.normal_(self.trust.weight, std=1e-3)

    @property
    def reach(self) -> int:
        """How far away pixels have a say."""
        return self.distance + self.radius + self.neighbours + 1

    def forward(self, fixed: Tensor, moving: Tensor) -> Matches:
        """Match the fixed picture's windows."""
        like = window_correlations(fixed, moving, self.distance, self.radius)
        best = like.amax(1, keepdim=True)
        summary = self.summary(like)
        displacement = matches(like, best, self.log_sharpness.exp())
        told = torch.cat([summary, displacement, best], 1)
        trusted = to_one_channel(told, self.trust).float().sigmoid() + LEAST_TRUST
        return Matches(told, displacement, trusted * best.clamp_min(LEAST_TRUST).square())

    def agreed(self, found: Matches) -> Tensor:
        """The displacement (N, 2, H, W) in pixels that neighbours, each as it is trusted, say in
        the mean.
        """
        return smoothed(found.displacement, found.trust, self.neighbours)


def to_one_channel(x: Tensor, convolution: nn.Conv2d) -> Tensor:
    """What a 3 x 3 convolution with padding makes of (N, C, H, W), (N, 1, H, W).

    Its nine taps as channels, then shifted and added: on the CPU a quarter of the time of torch's
    own.
    """
    height, width = x.shape[-2:]
    taps = F.pad(F.conv2d(x, convolution.weight[0].flatten(1).T[..., None, None]), (1, 1, 1, 1))
    shifted = [
        taps[:, n : n + 1, n // 3 : n // 3 + height, n % 3 : n % 3 + width] for n in range(9)
    ]
    return torch.stack(shifted).sum(0) + torch.as_tensor(convolution.bias)
