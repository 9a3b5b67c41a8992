"""Three fully convolutional networks, coarse to fine, trained jointly.

CycGANRegNet 2022, "Deformable registration of multi-stained whole-slide images",
doi:10.1101/2022.05.31.494254, eq. 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stainbridge.geometry.flow import compose, resize, warp
from stainbridge.nn.fcn import REACH_PX, Regressor
from stainbridge.nn.fields import DeformableNet, Fields, Term
from stainbridge.nn.window_matches import WindowMatches
from stainbridge.ranges import Within, check_ranges

#: Channels that summarise the correlations of windows.
SUMMARY_CHANNELS = 16


@dataclass(frozen=True)
class MultiscaleFCNConfig:
    """Sizes of the three models and weights of their outputs; the defaults are the paper's.

    Raises `InputError` for sizes that are not positive and for negative weights.
    """

    kind: Literal["multiscale-fcn"] = "multiscale-fcn"
    """Name of the network in its table."""
    widths: Annotated[tuple[int, int, int], Within(1, 8192)] = (32, 64, 128)
    """Channels of each model at full, half and quarter resolution."""
    sigmas: Annotated[tuple[float, float, float, float, float], Within(0, 1e6)] = (
        0.9,
        0.6,
        0.3,
        0.05,
        0.05,
    )
    """Weights σ11, σ12, σ13, σ2 and σ3 of the fields in the loss."""
    correlation: Annotated[int, Within(0, 64)] = 0
    """Largest distance at which windows are correlated, in pixels of what a model sees.

    0, as in the paper: no correlations. Otherwise each model also sees the displacements of windows
    by their NCC and regresses the rest. V1 correlates halved pictures, V2 half as far and in
    smaller windows."""

    def __post_init__(self) -> None:
        check_ranges(self)

    @classmethod
    def preset(cls, name: str) -> MultiscaleFCNConfig:
        """Return "paper" or "small"."""
        return cls(widths=(16, 32, 64), correlation=3) if name == "small" else cls()


class MultiscaleFCN(DeformableNet):
    """V1 at full resolution with three outputs, V2 at a quarter, V3 the rest at half resolution.

    V3, composed with V2, is the result. As published, only V1's fields are regularised. The paper
    numbers V1's outputs from the intermediate layers on: V13 is its last layer's.
    """

    period = 16

    def __init__(self, config: MultiscaleFCNConfig) -> None:
        super().__init__()
        self.config = config
        distance = config.correlation
        half_distance = (distance + 1) // 2
        near = (
            WindowMatches(half_distance, SUMMARY_CHANNELS, radius=3, neighbours=6)
            if distance
            else None
        )
        self.first = _Model(config.widths, _build_matches(distance), halvings=1)
        self.second = _Model(config.widths, near)
        self.third = _Model(config.widths, _build_matches(distance))

    @property
    def reach(self) -> int:
        """V2's reach, seen through the third model, and room for V2 itself, in pixels."""
        return 4 * self.second.reach + 2 * self.third.reach + 24

    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        """Return V11, V12, V13, V2 and V3."""
        size = (fixed.shape[-2], fixed.shape[-1])
        pair = torch.cat([fixed, moving], 1)
        v1 = self.first(pair)
        v2 = resize(_mean_field(self.second(F.avg_pool2d(pair, 4))), *size)
        closer = torch.cat([fixed, warp(moving, v2)], 1)
        rest = resize(_mean_field(self.third(F.avg_pool2d(closer, 2))), *size)
        v3 = compose(rest, v2)
        sigmas = self.config.sigmas
        v1_terms = tuple(Term(v, sigma, sigma) for v, sigma in zip(v1, sigmas[:3], strict=True))
        return Fields(v3, (*v1_terms, Term(v2, sigmas[3], 0.0), Term(v3, sigmas[4], 0.0)))


class _Model(nn.Module):
    """One of the three models: a regressor, after the matches of windows where there are any."""

    def __init__(
        self, widths: tuple[int, int, int], matches: WindowMatches | None, halvings: int = 0
    ) -> None:
        super().__init__()
        self.factor = 2**halvings
        self.matches = matches
        self.regressor = Regressor(widths, outputs=3, more_channels=4 if matches else 0)

    @property
    def reach(self) -> int:
        """How far away a pixel of what it sees can influence its fields, in these pixels."""
        return REACH_PX + (self.factor * self.matches.reach if self.matches else 0)

    def forward(self, pair: Tensor) -> list[Tensor]:
        """Return three fields (N, 2, H, W) in pixels of the pictures (N, 2, H, W)."""
        if self.matches is None:
            return list(self.regressor(pair))
        smaller = F.avg_pool2d(pair, self.factor)
        match = self.matches(smaller[:, :1], smaller[:, 1:])
        displacement, smooth = (
            resize(field, *pair.shape[-2:])
            for field in (match.displacement, self.matches.smooth_displacement(match))
        )
        regressed = self.regressor(torch.cat([pair, displacement, smooth], 1))
        return [field + smooth for field in regressed]


def _build_matches(distance: int) -> WindowMatches | None:
    return WindowMatches(distance, SUMMARY_CHANNELS) if distance else None


def _mean_field(fields: list[Tensor]) -> Tensor:
    """Return the mean of a model's three outputs."""
    return torch.stack(fields).mean(0)
