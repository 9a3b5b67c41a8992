"""DIRNet: a convolutional regressor of B-spline control points.

de Vos et al. 2017, "End-to-end unsupervised deformable image registration with a convolutional
neural network", DLMIA, doi:10.1007/978-3-319-67558-9_24.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stainbridge.errors import InputError
from stainbridge.nn.fields import DeformableNet, Fields, Term, regression


@dataclass(frozen=True)
class DirNetConfig:
    """`width` channels in every layer; `poolings` halvings, so that control points are 2^poolings
    pixels apart.
    """

    kind: Literal["dirnet"] = "dirnet"
    width: int = 16
    poolings: int = 4
    hidden: int = 2

    def __post_init__(self) -> None:
        if self.width < 1 or self.poolings < 1 or self.hidden < 0:
            raise InputError(
                "width and poolings must be positive", got=(self.width, self.poolings, self.hidden)
            )

    @classmethod
    def preset(cls, name: str) -> DirNetConfig:
        """ "paper" or "small": the paper's network is small."""
        return cls()


class DirNet(DeformableNet):
    """Convolutions and 2 x 2 average poolings to one vector a control point, cubic B-splines
    between them.
    """

    def __init__(self, config: DirNetConfig) -> None:
        super().__init__()
        self.config = config
        self.period = 2**config.poolings
        widths = [2] + [config.width] * config.poolings
        down = (nn.Sequential(_conv(a, b), nn.AvgPool2d(2)) for a, b in pairwise(widths))
        hidden = (_conv(config.width, config.width) for _ in range(config.hidden))
        self.points = nn.Sequential(*down, *hidden, regression(config.width))

    @property
    def reach(self) -> int:
        """Convolutions and poolings on the way down, hidden ones and the spline between control
        points.
        """
        return 2 * self.period + (self.config.hidden + 4) * self.period

    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        """The B-spline through the control points."""
        displacement = cubic_b_spline(
            self.points(torch.cat([fixed, moving], 1)).float(), self.period
        )
        return Fields(displacement, (Term(displacement),))


def cubic_b_spline(points: Tensor, spacing: int) -> Tensor:
    """(N, C, h, w) control points in the middles of `spacing`² pixels, `spacing` even, to (N, C,
    h·s, w·s).

    Control points beyond the border repeat the outermost.
    """
    offset = (
        torch.arange(4 * spacing, dtype=points.dtype, device=points.device) + 0.5
    ) / spacing - 2
    weight = _basis(offset)
    channels, (height, width) = points.shape[1], points.shape[-2:]
    padded = F.pad(points, (2, 2, 2, 2), mode="replicate")
    across = weight.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    wide = F.conv_transpose2d(padded, across, stride=(1, spacing), groups=channels)
    dense = F.conv_transpose2d(wide, across.transpose(2, 3), stride=(spacing, 1), groups=channels)
    first = 7 * spacing // 2  # two padding points and the kernel's half, less half a cell
    return dense[..., first : first + height * spacing, first : first + width * spacing]


def _basis(t: Tensor) -> Tensor:
    t = t.abs()
    return torch.where(t < 1, 2 / 3 - t.square() + t.pow(3) / 2, (2 - t).clamp_min(0).pow(3) / 6)


def _conv(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ELU()
    )
