"""DIRNet: a convolutional regressor of B-spline control points.

de Vos et al. 2017, "End-to-end unsupervised deformable image registration with a convolutional
neural network", DLMIA, doi:10.1007/978-3-319-67558-9_24.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stainbridge.nn.fields import DeformableNet, Fields, Term, make_regression
from stainbridge.ranges import Within, check_ranges


@dataclass(frozen=True)
class DirNetConfig:
    """Sizes of the network. Raises `InputError` for sizes that are not positive."""

    kind: Literal["dirnet"] = "dirnet"
    """Name of the network in its table."""
    width: Annotated[int, Within(1, 8192)] = 16
    """Channels of every layer."""
    poolings: Annotated[int, Within(1, 10)] = 4
    """Halvings of the resolution; control points are 2^poolings pixels apart."""
    hidden: Annotated[int, Within(0, 64)] = 2
    """Convolutions between the last pooling and the control points."""

    def __post_init__(self) -> None:
        check_ranges(self)

    @classmethod
    def preset(cls, name: str) -> DirNetConfig:  # noqa: ARG003  # presets of all networks have it
        """Return "paper" or "small", which are the same: the paper's network is small."""
        return cls()


class DirNet(DeformableNet):
    """Convolutions and 2 x 2 average poolings to control points of cubic B-splines."""

    def __init__(self, config: DirNetConfig) -> None:
        super().__init__()
        self.config = config
        self.period = 2**config.poolings
        widths = [2] + [config.width] * config.poolings
        down = (nn.Sequential(_make_conv(a, b), nn.AvgPool2d(2)) for a, b in pairwise(widths))
        hidden = (_make_conv(config.width, config.width) for _ in range(config.hidden))
        self.points = nn.Sequential(*down, *hidden, make_regression(config.width))

    @property
    def reach(self) -> int:
        """The reach of the way down, of hidden convolutions and of the spline, in pixels."""
        return 2 * self.period + (self.config.hidden + 4) * self.period

    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        """Return the B-spline through the control points."""
        displacement = cubic_b_spline(
            self.points(torch.cat([fixed, moving], 1)).float(), self.period
        )
        return Fields(displacement, (Term(displacement),))


def cubic_b_spline(points: Tensor, spacing: int) -> Tensor:
    """Interpolate control points (N, C, h, w) to (N, C, h·s, w·s), s = `spacing`, which is even.

    A control point is in the middle of `spacing`² pixels. Points beyond the border repeat the
    outermost.
    """
    offset = (
        torch.arange(4 * spacing, dtype=points.dtype, device=points.device) + 0.5
    ) / spacing - 2
    weight = _b_spline_basis(offset)
    channels = points.shape[1]
    height, width = points.shape[-2:]
    padded = F.pad(points, (2, 2, 2, 2), mode="replicate")
    across = weight.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    wide = F.conv_transpose2d(padded, across, stride=(1, spacing), groups=channels)
    dense = F.conv_transpose2d(wide, across.transpose(2, 3), stride=(spacing, 1), groups=channels)
    first = 7 * spacing // 2  # two padding points and the kernel's half, less half a spacing
    return dense[..., first : first + height * spacing, first : first + width * spacing]


def _b_spline_basis(t: Tensor) -> Tensor:
    t = t.abs()
    return torch.where(t < 1, 2 / 3 - t.square() + t.pow(3) / 2, (2 - t).clamp_min(0).pow(3) / 6)


def _make_conv(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ELU()
    )
