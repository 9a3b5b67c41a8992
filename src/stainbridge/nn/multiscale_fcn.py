"""Three fully convolutional networks, coarse to fine, trained jointly.

CycGANRegNet 2022, "Deformable registration of multi-stained whole-slide images", doi:10.1101/2022.05.31.494254, eq. 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.errors import InputError
from stainbridge.geometry.flow import compose, resized, warp
from stainbridge.nn.fcn import REACH, Regressor
from stainbridge.nn.fields import DeformableNet, Fields, Term


@dataclass(frozen=True)
class MultiscaleFCNConfig:
    """`widths` of each of the three models, as in `FCNConfig`; `sigmas`: weights σ11, σ12, σ13, σ2, σ3 in the loss."""

    kind: Literal["multiscale-fcn"] = "multiscale-fcn"
    widths: tuple[int, int, int] = (32, 64, 128)
    sigmas: tuple[float, float, float, float, float] = (0.9, 0.6, 0.3, 0.05, 0.05)

    def __post_init__(self) -> None:
        if min(self.widths) < 1 or min(self.sigmas) < 0:
            raise InputError("widths must be positive and sigmas not negative", got=(self.widths, self.sigmas))

    @classmethod
    def preset(cls, name: str) -> MultiscaleFCNConfig:
        """ "paper" or "small"."""
        return cls(widths=(16, 32, 64)) if name == "small" else cls()


class MultiscaleFCN(DeformableNet):
    """V1 at full resolution with three outputs; V2 at a quarter; V3: V2, and what is left of it at half resolution.

    The last is the result. As published, only V1's fields are regularised. The paper numbers V1's outputs from the
    intermediate layers on: V13 is its last layer's.
    """

    period = 16
    reach = 4 * REACH + 2 * REACH + 24  # V2's, seen through the third model, and room for V2 itself

    def __init__(self, config: MultiscaleFCNConfig) -> None:
        super().__init__()
        self.config = config
        self.first = Regressor(config.widths, outputs=3)
        self.second = Regressor(config.widths, outputs=3)
        self.third = Regressor(config.widths, outputs=3)

    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        """V11, V12, V13, V2 and V3."""
        size = (fixed.shape[-2], fixed.shape[-1])
        pair = torch.cat([fixed, moving], 1)
        v1 = self.first(pair)
        v2 = resized(_mean(self.second(F.avg_pool2d(pair, 4))), *size)
        closer = torch.cat([fixed, warp(moving, v2)], 1)
        left = resized(_mean(self.third(F.avg_pool2d(closer, 2))), *size)
        v3 = compose(left, v2)
        ones = tuple(Term(v, sigma, sigma) for v, sigma in zip(v1, self.config.sigmas[:3], strict=True))
        return Fields(v3, (*ones, Term(v2, self.config.sigmas[3], 0.0), Term(v3, self.config.sigmas[4], 0.0)))


def _mean(fields: list[Tensor]) -> Tensor:
    """One field of a model's three outputs."""
    return torch.stack(fields).mean(0)
