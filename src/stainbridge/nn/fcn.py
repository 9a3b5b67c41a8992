"""A fully convolutional network that regresses a displacement field at up to three resolutions.

Li & Fan 2018, "Non-rigid image registration using self-supervised fully convolutional networks
without training data", ISBI, doi:10.1109/ISBI.2018.8363757.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from stainbridge.geometry.flow import resize
from stainbridge.nn.fields import DeformableNet, Fields, Term, make_regression
from stainbridge.ranges import Within, check_ranges

#: How far away, in pixels, a pixel can influence a `Regressor`'s field: its convolutions, each at
#: its resolution, poolings and upsamplings.
REACH_PX = 28


@dataclass(frozen=True)
class FCNConfig:
    """Sizes of the plain network. Raises `InputError` for widths that are not positive."""

    kind: Literal["fcn"] = "fcn"
    """Name of the network in its table."""
    widths: Annotated[tuple[int, int, int], Within(1, 8192)] = (32, 64, 128)
    """Channels at full, half and quarter resolution."""

    def __post_init__(self) -> None:
        check_ranges(self)

    @classmethod
    def preset(cls, name: str) -> FCNConfig:
        """Return "paper" or "small"."""
        return cls(widths=(16, 32, 64)) if name == "small" else cls()


class Regressor(nn.Module):
    """Two pictures side by side, (N, 2, H, W), to displacements (N, 2, H, W) in pixels.

    It has two convolutions at each of three resolutions, down to a quarter, and transposed
    convolutions back up. With three `outputs` there are regression layers at a quarter and at half
    resolution beside the last one; the coarsest is first. `more_channels` more may go in. H and W
    must be multiples of 4.
    """

    def __init__(self, widths: tuple[int, int, int], outputs: int, more_channels: int = 0) -> None:
        super().__init__()
        full, half, quarter = widths
        self.at_full = nn.Sequential(_make_conv(2 + more_channels, full), _make_conv(full, full))
        self.at_half = nn.Sequential(
            nn.MaxPool2d(2), _make_conv(full, half), _make_conv(half, half)
        )
        self.at_quarter = nn.Sequential(
            nn.MaxPool2d(2), _make_conv(half, quarter), _make_conv(quarter, quarter)
        )
        self.to_half = nn.Sequential(_make_upsampling(quarter, half), _make_conv(half, half))
        self.to_full = nn.Sequential(_make_upsampling(half, full), _make_conv(full, full))
        regressed = (quarter, half, full)[-outputs:]
        self.regress = nn.ModuleList(make_regression(channels) for channels in regressed)

    def forward(self, pair: Tensor) -> list[Tensor]:
        """Return one field an output, each (N, 2, H, W) in full-resolution pixels."""
        coarse = self.at_quarter(self.at_half(self.at_full(pair)))
        middle = self.to_half(coarse)
        features = (coarse, middle, self.to_full(middle))[-len(self.regress) :]
        size = (pair.shape[-2], pair.shape[-1])
        return [
            resize(layer(x).float(), *size) for layer, x in zip(self.regress, features, strict=True)
        ]


class FCN(DeformableNet):
    """The plain network: one scale, one output."""

    period = 4
    reach = REACH_PX

    def __init__(self, config: FCNConfig) -> None:
        super().__init__()
        self.config = config
        self.regressor = Regressor(config.widths, outputs=1)

    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        """Return the last layer's field."""
        (displacement,) = self.regressor(torch.cat([fixed, moving], 1))
        return Fields(displacement, (Term(displacement),))


def _make_conv(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()
    )


def _make_upsampling(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(before, after, 2, stride=2, bias=False), nn.BatchNorm2d(after), nn.ReLU()
    )
