"""ESRGAN's generator: residual in residual dense blocks at low resolution, enlarged at the end.

Wang et al. 2018, "ESRGAN: enhanced super-resolution generative adversarial networks",
arXiv:1809.00219, section 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stainbridge.errors import InputError
from stainbridge.ranges import Within, check_ranges

#: Share of a block's output that is added to its input (section 3.1).
RESIDUAL_SHARE = 0.2
#: Factor on the usual standard deviation of initial weights (section 3.1).
INITIAL_SCALE = 0.1
#: Convolutions of a dense block.
CONVOLUTIONS = 5
#: Dense blocks of a residual in residual dense block.
DENSE_BLOCKS = 3


@dataclass(frozen=True)
class RRDBConfig:
    """Sizes of the generator; the defaults are ESRGAN's, with 16.7 million parameters.

    Raises `InputError` for sizes that make no generator.
    """

    kind: Literal["rrdb"] = "rrdb"
    """Name of the generator."""
    width: Annotated[int, Within(1, 8192)] = 64
    """Channels of the blocks."""
    growth: Annotated[int, Within(1, 8192)] = 32
    """Channels that each convolution of a dense block adds."""
    blocks: Annotated[int, Within(1, 256)] = 23
    """Blocks of three dense blocks."""
    factor: Annotated[int, Within(2, 4)] = 4
    """Factor of the enlargement, 2 or 4."""
    channels: Annotated[int, Within(1, 256)] = 3
    """Channels of the pictures."""
    skip: bool = False
    """Whether the output is added to the enlarged picture.

    A short training needs it; as published the network makes the whole picture."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.factor not in (2, 4):
            raise InputError(
                "pictures are enlarged two or four times", expected="2 or 4", got=self.factor
            )

    @classmethod
    def preset(cls, name: str, factor: int = 4) -> RRDBConfig:
        """Return "paper", or "small" with 0.3 million parameters."""
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
        self.first = _make_conv(config.channels, width)
        self.trunk = nn.Sequential(
            *(RRDB(width, config.growth) for _ in range(config.blocks)), _make_conv(width, width)
        )
        self.doublings = nn.ModuleList(_make_conv(width, width) for _ in range(config.factor // 2))
        self.last = nn.Sequential(
            _make_conv(width, width), nn.LeakyReLU(0.2), _make_conv(width, config.channels)
        )
        if config.skip:
            _scale_down(self.last[-1])

    @property
    def reach(self) -> int:
        """How far around it, in pixels of the small picture, an output pixel depends on it."""
        return CONVOLUTIONS * DENSE_BLOCKS * self.config.blocks + 6

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the enlarged pictures."""
        x = self.first(pictures)
        x = x + self.trunk(x)
        for doubling in self.doublings:
            x = F.leaky_relu(doubling(F.interpolate(x, scale_factor=2.0, mode="nearest")), 0.2)
        output = torch.as_tensor(self.last(x))
        return output + enlarge(pictures, self.config.factor) if self.config.skip else output


class RRDB(nn.Module):
    """(N, width, H, W) to the same: three dense blocks beside a shortcut."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(DenseBlock(width, growth) for _ in range(DENSE_BLOCKS)))

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` plus a share of the blocks' output."""
        return x + RESIDUAL_SHARE * torch.as_tensor(self.blocks(x))


class DenseBlock(nn.Module):
    """(N, width, H, W) to the same: each convolution sees the outputs of all before it."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        after = [*[growth] * (CONVOLUTIONS - 1), width]
        self.layers = nn.ModuleList(
            _make_conv(width + i * growth, channels) for i, channels in enumerate(after)
        )
        for layer in self.layers:
            assert isinstance(layer, nn.Conv2d)
            nn.init.kaiming_normal_(layer.weight)
            _scale_down(layer)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` plus a share of the last convolution's output."""
        features = x
        for layer in self.layers[:-1]:
            features = torch.cat([features, F.leaky_relu(layer(features), 0.2)], 1)
        return x + RESIDUAL_SHARE * torch.as_tensor(self.layers[-1](features))


def enlarge(pictures: Tensor, factor: int) -> Tensor:
    """Enlarge (N, C, H, W) to (N, C, factor·H, factor·W), bicubically."""
    return F.interpolate(pictures, scale_factor=float(factor), mode="bicubic", align_corners=False)


def _make_conv(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, padding=1)


def _scale_down(layer: nn.Module) -> None:
    """Scale a convolution's initial weights down, and set its bias to 0."""
    assert isinstance(layer, nn.Conv2d)
    layer.weight.data *= INITIAL_SCALE
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
