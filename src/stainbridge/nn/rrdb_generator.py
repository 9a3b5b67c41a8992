"""ESRGAN's generator: residual in residual dense blocks at low resolution, enlarged at the end,
without normalisation.

Wang et al. 2018, "ESRGAN: enhanced super-resolution generative adversarial networks",
arXiv:1809.00219, section 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stainbridge.errors import InputError

#: What is added to the way past a block, and the share of the usual spread weights begin with
#: (section 3.1).
RESIDUAL, LESS = 0.2, 0.1
CONVOLUTIONS, DENSE_BLOCKS = 5, 3


@dataclass(frozen=True)
class RRDBConfig:
    """`blocks` of three dense blocks of `width` channels, each of whose convolutions adds `growth`;
    `factor` 2 or 4.

    The defaults are ESRGAN's, 16.7 million parameters. With `skip` the network draws what the
    enlarged picture lacks, which a short training needs; as published it draws the picture.
    """

    kind: Literal["rrdb"] = "rrdb"
    width: int = 64
    growth: int = 32
    blocks: int = 23
    factor: int = 4
    channels: int = 3
    skip: bool = False

    def __post_init__(self) -> None:
        if min(self.width, self.growth, self.blocks, self.channels) < 1:
            raise InputError("every size of the generator must be positive", got=self)
        if self.factor not in (2, 4):
            raise InputError(
                "pictures are enlarged two or four times", expected="2 or 4", got=self.factor
            )

    @classmethod
    def preset(cls, name: str, factor: int = 4) -> RRDBConfig:
        """ "paper" or "small" (0.3 million parameters)."""
        return (
            cls(width=32, growth=12, blocks=3, factor=factor, skip=True)
            if name == "small"
            else cls(factor=factor)
        )


class RRDBGenerator(nn.Module):
    """Pictures (N, C, H, W) to (N, C, factor·H, factor·W), in −1 … 1, which is not enforced."""

    period = 1

    def __init__(self, config: RRDBConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.first = _conv(config.channels, width)
        self.trunk = nn.Sequential(
            *(RRDB(width, config.growth) for _ in range(config.blocks)), _conv(width, width)
        )
        self.doublings = nn.ModuleList(_conv(width, width) for _ in range(config.factor // 2))
        self.last = nn.Sequential(
            _conv(width, width), nn.LeakyReLU(0.2), _conv(width, config.channels)
        )
        if config.skip:
            _lessened(self.last[-1])

    @property
    def reach(self) -> int:
        """How many pixels around it, of the small picture, a pixel put out depends on."""
        return CONVOLUTIONS * DENSE_BLOCKS * self.config.blocks + 6

    def forward(self, pictures: Tensor) -> Tensor:
        """The enlarged pictures."""
        x = self.first(pictures)
        x = x + self.trunk(x)
        for doubling in self.doublings:
            x = F.leaky_relu(doubling(F.interpolate(x, scale_factor=2.0, mode="nearest")), 0.2)
        made = self.last(x)
        return torch.as_tensor(
            made + enlarged(pictures, self.config.factor) if self.config.skip else made
        )


class RRDB(nn.Module):
    """(N, width, H, W) to the same: three dense blocks, a share of them added to what came in."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(DenseBlock(width, growth) for _ in range(DENSE_BLOCKS)))

    def forward(self, x: Tensor) -> Tensor:
        """X plus a share of what is made of it."""
        return x + RESIDUAL * torch.as_tensor(self.blocks(x))


class DenseBlock(nn.Module):
    """(N, width, H, W) to the same: each convolution sees what all before it put out."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        after = [*[growth] * (CONVOLUTIONS - 1), width]
        self.layers = nn.ModuleList(
            _conv(width + i * growth, channels) for i, channels in enumerate(after)
        )
        for layer in self.layers:
            assert isinstance(layer, nn.Conv2d)
            nn.init.kaiming_normal_(layer.weight)
            _lessened(layer)

    def forward(self, x: Tensor) -> Tensor:
        """X plus a share of what the last convolution puts out."""
        found = x
        for layer in self.layers[:-1]:
            found = torch.cat([found, F.leaky_relu(layer(found), 0.2)], 1)
        return x + RESIDUAL * torch.as_tensor(self.layers[-1](found))


def enlarged(pictures: Tensor, factor: int) -> Tensor:
    """(N, C, H, W) to (N, C, factor·H, factor·W), bicubic."""
    return F.interpolate(pictures, scale_factor=float(factor), mode="bicubic", align_corners=False)


def _conv(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, padding=1)


def _lessened(layer: nn.Module) -> None:
    """Let a convolution begin with less than it was drawn, and no bias."""
    assert isinstance(layer, nn.Conv2d)
    layer.weight.data *= LESS
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
