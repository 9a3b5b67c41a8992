"""A U-Net to a stationary velocity field at half resolution, integrated to a diffeomorphism.

Balakrishnan et al. 2019, "VoxelMorph", doi:10.1109/TMI.2019.2897538; Dalca et al. 2019,
"Unsupervised learning of probabilistic diffeomorphic registration",
doi:10.1016/j.media.2019.07.006.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stainbridge.errors import InputError
from stainbridge.geometry.flow import exponentiate, resize
from stainbridge.nn.fields import DeformableNet, Fields, Term, make_regression
from stainbridge.nn.window_matches import WindowMatches
from stainbridge.ranges import Within, check_ranges

#: Channels that summarise the correlations of windows.
SUMMARY_CHANNELS = 32


@dataclass(frozen=True)
class UNetSVFConfig:
    """Sizes of the network.

    The defaults are Synth-by-Reg's registration network (Casamitjana et al. 2021) without its
    layers at full resolution. Raises `InputError` for sizes that make no network.
    """

    kind: Literal["unet-svf"] = "unet-svf"
    """Name of the network in its table."""
    down: Annotated[tuple[int, ...], Within(1, 8192)] = (16, 32, 32, 64, 64, 64)
    """Channels on the way down, each at half the resolution of the one before."""
    up: Annotated[tuple[int, ...], Within(1, 8192)] = (64, 64, 64, 32, 32)
    """Channels on the way up to half resolution."""
    last: Annotated[tuple[int, ...], Within(1, 8192)] = (32, 16)
    """Channels of the layers at half resolution before the velocity."""
    squarings: Annotated[int, Within(1, 20)] = 7
    """Steps of scaling and squaring that integrate the velocity."""
    correlation: Annotated[int, Within(0, 64)] = 0
    """Largest distance at which windows are correlated, in pixels at half the resolution.

    0, as in the paper: no correlations. Otherwise the network also sees the NCC of windows of both
    pictures. The velocity then starts from the smoothed matches of windows, and the network adds
    the rest."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if len(self.up) != len(self.down) - 1 or not self.last:
            raise InputError(
                "one width up for each width down but one",
                expected=len(self.down) - 1,
                got=len(self.up),
            )

    @classmethod
    def preset(cls, name: str) -> UNetSVFConfig:
        """Return "paper" or "small"."""
        if name == "small":
            return cls(
                down=(16, 32, 32, 32), up=(32, 32, 32), last=(16,), squarings=5, correlation=4
            )
        return cls()


class UNetSVF(DeformableNet):
    """Strided convolutions down, upsampling and skip connections up to half resolution."""

    def __init__(self, config: UNetSVFConfig) -> None:
        super().__init__()
        self.config = config
        self.period = 2 ** len(config.down)
        widths = list(config.down)
        initial_channels = 0
        if config.correlation:
            initial_channels = 2
            self.matches = WindowMatches(config.correlation, SUMMARY_CHANNELS)
            widths[0] += self.matches.channels
        before = (2, *widths[:-1])
        self.down = nn.ModuleList(
            _make_conv(a, b, stride=2) for a, b in zip(before, config.down, strict=True)
        )
        skips = widths[-2::-1]
        below = (widths[-1], *config.up[:-1])
        self.up = nn.ModuleList(
            _make_conv(a + s, b) for a, s, b in zip(below, skips, config.up, strict=True)
        )
        tail = (config.up[-1] + initial_channels, *config.last)
        self.last = nn.Sequential(
            *(_make_conv(a, b) for a, b in pairwise(tail)), make_regression(tail[-1])
        )

    @property
    def reach(self) -> int:
        """The reach of the way down and up and of the correlations, in pixels.

        The displacement adds its own length.
        """
        matches_reach = 2 * self.matches.reach if self.config.correlation else 0
        return 3 * self.period + 2 * (len(self.config.last) + 2) + matches_reach

    def velocity(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Return the velocity, (N, 2, H / 2, W / 2), in pixels of that grid."""
        x = torch.cat([fixed, moving], 1)
        skips: list[Tensor] = []
        match_features: Tensor | None = None
        initial: Tensor | None = None
        if self.config.correlation:
            match = self.matches(F.avg_pool2d(fixed, 2), F.avg_pool2d(moving, 2))
            match_features = match.features
            initial = self.matches.smooth_displacement(match)
        for layer in self.down:
            x = layer(x)
            if match_features is not None and not skips:
                x = torch.cat([x, match_features], 1)
            skips.append(x)
        for layer, skip in zip(self.up, skips[-2::-1], strict=True):
            x = layer(torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), skip], 1))
        if initial is None:
            return torch.as_tensor(self.last(x)).float()
        return torch.as_tensor(self.last(torch.cat([x, initial], 1))).float() + initial

    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        """Return the integrated velocity, and the velocity, whose roughness is penalised."""
        velocity = self.velocity(fixed, moving)
        half = exponentiate(velocity, self.config.squarings)
        displacement = resize(half, fixed.shape[-2], fixed.shape[-1])
        return Fields(displacement, (Term(displacement),), velocity)


def _make_conv(before: int, after: int, stride: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(before, after, 3, stride=stride, padding=1)
    # without normalisation, the default initialisation would let the deep layers fade away
    nn.init.kaiming_normal_(layer.weight, 0.2)
    return nn.Sequential(layer, nn.LeakyReLU(0.2))
