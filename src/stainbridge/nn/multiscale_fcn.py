"""Three fully convolutional networks, coarse to fine, trained jointly.

CycGANRegNet 2022, "Deformable registration of multi-stained whole-slide images",
doi:10.1101/2022.05.31.494254, eq. 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stainbridge.errors import InputError
from stainbridge.geometry.flow import compose, resize, warp
from stainbridge.nn.fcn import REACH_PX, Regressor
from stainbridge.nn.fields import DeformableNet, Fields, Term
from stainbridge.nn.window_matches import WindowMatches

SUMMARY_CHANNELS = 16  # channels


@dataclass(frozen=True)
class MultiscaleFCNConfig:
    """`widths` of each of the three models, as in `FCNConfig`; `sigmas`: weights σ11, σ12, σ13, σ2,
    σ3 in the loss.

    `correlation`, 0 in the paper: each model is also told where windows of the pictures it sees
    (V1: of their halves) lie in the other by their NCC, at most so many pixels away (V2: half as
    many, and smaller windows), and regresses what is left of it.
    """

    kind: Literal["multiscale-fcn"] = "multiscale-fcn"
    widths: tuple[int, int, int] = (32, 64, 128)
    sigmas: tuple[float, float, float, float, float] = (0.9, 0.6, 0.3, 0.05, 0.05)
    correlation: int = 0

    def __post_init__(self) -> None:
        if min(self.widths) < 1 or min(self.sigmas) < 0 or self.correlation < 0:
            raise InputError(
                "widths must be positive, sigmas and correlation not negative", got=self
            )

    @classmethod
    def preset(cls, name: str) -> MultiscaleFCNConfig:
        """ "paper" or "small"."""
        return cls(widths=(16, 32, 64), correlation=3) if name == "small" else cls()


class MultiscaleFCN(DeformableNet):
    """V1 at full resolution with three outputs; V2 at a quarter; V3: V2, and what is left of it at
    half resolution.

    The last is the result. As published, only V1's fields are regularised. The paper numbers V1's
    outputs from the intermediate layers on: V13 is its last layer's.
    """

    period = 16

    def __init__(self, config: MultiscaleFCNConfig) -> None:
        super().__init__()
        self.config = config
        far = config.correlation
        near = WindowMatches((far + 1) // 2, SUMMARY_CHANNELS, radius=3, neighbours=6) if far else None
        self.first = _Model(config.widths, WindowMatches(far, SUMMARY_CHANNELS) if far else None, halvings=1)
        self.second = _Model(config.widths, near)
        self.third = _Model(config.widths, WindowMatches(far, SUMMARY_CHANNELS) if far else None)

    @property
    def reach(self) -> int:
        """V2's, seen through the third model, and room for V2 itself."""
        return 4 * self.second.reach + 2 * self.third.reach + 24

    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        """V11, V12, V13, V2 and V3."""
        size = (fixed.shape[-2], fixed.shape[-1])
        pair = torch.cat([fixed, moving], 1)
        v1 = self.first(pair)
        v2 = resize(_mean(self.second(F.avg_pool2d(pair, 4))), *size)
        closer = torch.cat([fixed, warp(moving, v2)], 1)
        left = resize(_mean(self.third(F.avg_pool2d(closer, 2))), *size)
        v3 = compose(left, v2)
        ones = tuple(
            Term(v, sigma, sigma) for v, sigma in zip(v1, self.config.sigmas[:3], strict=True)
        )
        return Fields(
            v3, (*ones, Term(v2, self.config.sigmas[3], 0.0), Term(v3, self.config.sigmas[4], 0.0))
        )


class _Model(nn.Module):
    """One of the three: a regressor, after the matches of windows where it is told of them."""

    def __init__(
        self, widths: tuple[int, int, int], matches: WindowMatches | None, halvings: int = 0
    ) -> None:
        super().__init__()
        self.factor, self.matches = 2**halvings, matches
        self.regressor = Regressor(widths, outputs=3, told=4 if matches else 0)

    @property
    def reach(self) -> int:
        """Of what it sees."""
        return REACH_PX + (self.factor * self.matches.reach if self.matches else 0)

    def forward(self, pair: Tensor) -> list[Tensor]:
        """Three fields (N, 2, H, W) in pixels of the pictures (N, 2, H, W)."""
        if self.matches is None:
            return list(self.regressor(pair))
        smaller = F.avg_pool2d(pair, self.factor)
        windows = self.matches(smaller[:, :1], smaller[:, 1:])
        found, agreed = (
            resize(field, *pair.shape[-2:])
            for field in (windows.displacement, self.matches.agreed(windows))
        )
        return [field + agreed for field in self.regressor(torch.cat([pair, found, agreed], 1))]


def _mean(fields: list[Tensor]) -> Tensor:
    """One field of a model's three outputs."""
    return torch.stack(fields).mean(0)
