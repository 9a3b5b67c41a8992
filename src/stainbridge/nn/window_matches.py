"""Where windows of one picture lie in the other, by their NCC: what a network need not learn."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stainbridge.nn.correlation import match_windows, smooth_weighted, window_correlations

#: What correlations are multiplied by before the softmax over displacements, untrained.
INITIAL_SHARPNESS = 20.0
#: Least trust in a match, so that there is always a mean.
MIN_TRUST = 1e-3


class WindowMatch(NamedTuple):
    """Where the windows of a picture lie in another."""

    features: Tensor
    """What a network sees of the correlations, (N, channels, H, W)."""
    displacement: Tensor
    """Displacement of each window in pixels as (dx, dy), (N, 2, H, W)."""
    trust: Tensor
    """Weight of each displacement, (N, 1, H, W)."""


class WindowMatches(nn.Module):
    """Matches windows of pictures (N, 1, H, W) at most `distance` pixels apart.

    Windows have (2·`radius` + 1)² pixels; (2·`neighbours` + 1)² matches are averaged. A network
    sees `summary` channels of a 1 x 1 convolution over the correlations, the displacement and the
    best correlation: `channels` in all. Trust is learned, times the square of the best correlation.
    """

    def __init__(self, distance: int, summary: int, radius: int = 6, neighbours: int = 8) -> None:
        super().__init__()
        self.distance = distance
        self.radius = radius
        self.neighbours = neighbours
        self.channels = summary + 3
        self.log_sharpness = nn.Parameter(torch.tensor(INITIAL_SHARPNESS).log())
        convolution = nn.Conv2d((2 * distance + 1) ** 2, summary, 1)
        nn.init.kaiming_normal_(convolution.weight, 0.2)
        self.summary = nn.Sequential(convolution, nn.LeakyReLU(0.2))
        self.trust = nn.Conv2d(self.channels, 1, 3, padding=1)
        nn.init.normal_(self.trust.weight, std=1e-3)

    @property
    def reach(self) -> int:
        """How far away, in pixels, a pixel can influence an averaged match."""
        return self.distance + self.radius + self.neighbours + 1

    def forward(self, fixed: Tensor, moving: Tensor) -> WindowMatch:
        """Match the fixed picture's windows."""
        correlations = window_correlations(fixed, moving, self.distance, self.radius)
        best = correlations.amax(1, keepdim=True)
        summary = self.summary(correlations)
        displacement = match_windows(correlations, best, self.log_sharpness.exp())
        features = torch.cat([summary, displacement, best], 1)
        trust = convolve_to_one_channel(features, self.trust).float().sigmoid() + MIN_TRUST
        return WindowMatch(features, displacement, trust * best.clamp_min(MIN_TRUST).square())

    def smooth_displacement(self, match: WindowMatch) -> Tensor:
        """Return the mean displacement of neighbours, weighted by trust, (N, 2, H, W) in pixels."""
        return smooth_weighted(match.displacement, match.trust, self.neighbours)


def convolve_to_one_channel(x: Tensor, convolution: nn.Conv2d) -> Tensor:
    """Apply a 3 x 3 convolution with padding to (N, C, H, W), giving (N, 1, H, W).

    Its nine taps are computed as channels, then shifted and added: on the CPU that takes a quarter
    of the time of torch's own convolution.
    """
    height, width = x.shape[-2:]
    taps = F.pad(F.conv2d(x, convolution.weight[0].flatten(1).T[..., None, None]), (1, 1, 1, 1))
    shifted = [
        taps[:, n : n + 1, n // 3 : n // 3 + height, n % 3 : n % 3 + width] for n in range(9)
    ]
    return torch.stack(shifted).sum(0) + torch.as_tensor(convolution.bias)
