"""The residual generator of picture translation.

Johnson et al. 2016, "Perceptual losses for real-time style transfer", arXiv:1603.08155, as used by
CycleGAN (Zhu et al. 2017, arXiv:1703.10593, section 7.2) and, with four halvings, as pix2pixHD's
global generator.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from stainbridge.errors import InputError
from stainbridge.nn.normalisation import Norm, initialise, needs_bias, normalisation


@dataclass(frozen=True)
class ResNetConfig:
    """`width` channels at full resolution, doubled at each of `halvings`; `blocks` residual blocks
    at the bottom.

    The defaults are CycleGAN's for pictures of 256 px, 11.4 million parameters. Pyramid pix2pix
    uses `norm` "batch" and `dropout` 0.5; pix2pixHD's global generator has four halvings, 182
    million parameters.
    """

    kind: Literal["resnet"] = "resnet"
    width: int = 64
    blocks: int = 9
    halvings: int = 2
    norm: Norm = "instance"
    dropout: float = 0.0
    source_channels: int = 3
    target_channels: int = 3

    def __post_init__(self) -> None:
        if (
            min(self.width, self.blocks, self.halvings, self.source_channels, self.target_channels)
            < 1
        ):
            raise InputError("every size of the generator must be positive", got=self)
        if not 0 <= self.dropout < 1:
            raise InputError("dropout is a probability", expected="0 to below 1", got=self.dropout)

    @classmethod
    def preset(cls, name: str) -> ResNetConfig:
        """ "paper" or "small" (0.35 million parameters)."""
        return cls(width=16, blocks=4) if name == "small" else cls()


class ResNetGenerator(nn.Module):
    """Pictures (N, source, H, W) to (N, target, H, W), both in −1 … 1; H and W multiples of
    `period`.
    """

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        self.config = config
        self.period: int = 2**config.halvings
        widths = [config.width * 2**i for i in range(config.halvings + 1)]
        steps = list(pairwise(widths))
        self.stem = stem(config.source_channels, widths[0], config.norm)
        self.down = nn.ModuleList(halve(a, b, config.norm) for a, b in steps)
        self.blocks = nn.ModuleList(
            ResidualBlock(widths[-1], config.norm, config.dropout) for _ in range(config.blocks)
        )
        self.up = nn.Sequential(*(double(b, a, config.norm) for a, b in reversed(steps)))
        self.head = head(widths[0], config.target_channels)
        initialise(self)

    @property
    def reach(self) -> int:
        """How many pixels around it a pixel put out depends on, but for what normalisation takes
        from all of them.
        """
        return 6 + (2 * self.config.blocks + 3) * self.period

    @property
    def feature_channels(self) -> tuple[int, ...]:
        """Channels of what `features` returns."""
        widths = tuple(self.config.width * 2 ** (i + 1) for i in range(self.config.halvings))
        return (self.config.source_channels, *widths, widths[-1], widths[-1])

    def features(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """What PatchNCE looks at: the picture, every down-sampling convolution, first and last
        residual block.

        Each is (N, channels, h, w), from full resolution to 2^halvings below it.
        """
        found = [pictures]
        x = self.stem(pictures)
        for layer in self.down:
            x = layer(x)
            found.append(x)
        passed = []
        for block in self.blocks:
            x = block(x)
            passed.append(x)
        return (*found, passed[0], passed[-1])

    def body(self, pictures: Tensor) -> Tensor:
        """All but the last convolution: (N, width, H, W)."""
        check_sides(pictures, self.period)
        x = self.stem(pictures)
        for layer in (*self.down, *self.blocks):
            x = layer(x)
        return torch.as_tensor(self.up(x))

    def forward(self, pictures: Tensor) -> Tensor:
        """The translated pictures.

        Raises `InputError` for sides that cannot be halved often enough.
        """
        return torch.as_tensor(self.head(self.body(pictures)))


class ResidualBlock(nn.Module):
    """(N, C, H, W) to the same: two reflected 3 x 3 convolutions, added to what came in."""

    def __init__(self, channels: int, norm: Norm, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_reflected(channels, channels, 3, norm),
            nn.ReLU(),
            *([nn.Dropout(dropout)] if dropout else []),
            *_reflected(channels, channels, 3, norm),
        )

    def forward(self, x: Tensor) -> Tensor:
        """X plus what is made of it."""
        return x + torch.as_tensor(self.layers(x))


def stem(before: int, after: int, norm: Norm) -> nn.Sequential:
    """A reflected 7 x 7 convolution at full resolution."""
    return nn.Sequential(*_reflected(before, after, 7, norm), nn.ReLU())


def halve(before: int, after: int, norm: Norm) -> nn.Sequential:
    """A 3 x 3 convolution to half the resolution."""
    convolution = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=needs_bias(norm))
    return nn.Sequential(convolution, normalisation(norm, after), nn.ReLU())


def double(before: int, after: int, norm: Norm) -> nn.Sequential:
    """A fractionally strided 3 x 3 convolution to twice the resolution."""
    convolution = nn.ConvTranspose2d(
        before, after, 3, 2, 1, output_padding=1, bias=needs_bias(norm)
    )
    return nn.Sequential(convolution, normalisation(norm, after), nn.ReLU())


def head(before: int, after: int) -> nn.Sequential:
    """A reflected 7 x 7 convolution to a picture in −1 … 1."""
    return nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(before, after, 7), nn.Tanh())


def check_sides(pictures: Tensor, period: int) -> None:
    """Raise `InputError` unless H and W of (N, C, H, W) are multiples of `period`."""
    height, width = pictures.shape[-2:]
    if height % period or width % period:
        raise InputError(
            "the generator cannot halve these pictures",
            expected=f"sides in multiples of {period}",
            got=(height, width),
        )


def _reflected(before: int, after: int, size: int, norm: Norm) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(before, after, size, bias=needs_bias(norm))
    return nn.ReflectionPad2d(size // 2), convolution, normalisation(norm, after)
