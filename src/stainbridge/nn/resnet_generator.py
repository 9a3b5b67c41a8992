"""The residual generator of picture translation.

Johnson et al. 2016, "Perceptual losses for real-time style transfer", arXiv:1603.08155, as used by
CycleGAN (Zhu et al. 2017, arXiv:1703.10593, section 7.2) and, with four halvings, as pix2pixHD's
global generator.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal, TypeAlias

import torch
from torch import Tensor, nn

from stainbridge.errors import InputError
from stainbridge.nn.antialias import BlurPool, BlurUpsample
from stainbridge.nn.generators import Generator
from stainbridge.nn.normalisation import Norm, initialise_weights, make_normalisation, needs_bias
from stainbridge.ranges import PartialShare, Within, check_ranges

#: The last activation: "tanh" for pictures in −1 … 1, "sigmoid" for pictures in 0 … 1.
Output: TypeAlias = Literal["tanh", "sigmoid"]


@dataclass(frozen=True)
class ResNetConfig:
    """Sizes of the generator; the defaults are CycleGAN's for pictures of 256 px.

    They have 11.4 million parameters. Pyramid pix2pix uses `norm` "batch" and `dropout` 0.5.
    pix2pixHD's global generator has four halvings and 182 million parameters. Synth-by-Reg's has
    width 32, 6 blocks, 3 halvings, `antialias`, `output` "sigmoid" and one channel on both sides.
    Raises `InputError` for sizes that make no generator.
    """

    kind: Literal["resnet"] = "resnet"
    """Name of the generator in its table."""
    width: Annotated[int, Within(1, 8192)] = 64
    """Channels at full resolution, doubled at each halving."""
    blocks: Annotated[int, Within(1, 256)] = 9
    """Residual blocks at the lowest resolution."""
    halvings: Annotated[int, Within(1, 10)] = 2
    """Halvings of the resolution."""
    norm: Norm = "instance"
    """The normalisation."""
    dropout: PartialShare = 0.0
    """Probability of dropout in residual blocks."""
    source_channels: Annotated[int, Within(1, 256)] = 3
    """Channels of the pictures that go in."""
    target_channels: Annotated[int, Within(1, 256)] = 3
    """Channels of the pictures that come out."""
    antialias: bool = False
    """Whether resolution is halved and doubled through low-pass filters, as in CUT.

    A halving is a convolution and a `BlurPool`; a doubling is a `BlurUpsample` and a convolution.
    Otherwise both are strided convolutions."""
    output: Output = "tanh"
    """The last activation: "tanh" to −1 … 1, "sigmoid" to 0 … 1.

    The objectives of translation train pictures in −1 … 1."""

    def __post_init__(self) -> None:
        check_ranges(self)

    @classmethod
    def preset(cls, name: str) -> ResNetConfig:
        """Return "paper", or "small" with 0.35 million parameters."""
        return cls(width=16, blocks=4) if name == "small" else cls()


class ResNetGenerator(Generator):
    """Convolutions down, residual blocks at the lowest resolution, convolutions up."""

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        self.config = config
        self.period: int = 2**config.halvings
        widths = [config.width * 2**i for i in range(config.halvings + 1)]
        steps = list(pairwise(widths))
        self.stem = make_stem(config.source_channels, widths[0], config.norm)
        self.down = nn.ModuleList(
            make_downsampling(a, b, config.norm, config.antialias) for a, b in steps
        )
        self.blocks = nn.ModuleList(
            ResidualBlock(widths[-1], config.norm, config.dropout) for _ in range(config.blocks)
        )
        self.up = nn.Sequential(
            *(make_upsampling(b, a, config.norm, config.antialias) for a, b in reversed(steps))
        )
        self.head = make_head(widths[0], config.target_channels, config.output)
        initialise_weights(self)

    @property
    def reach(self) -> int:
        """How far around it, in pixels, an output pixel depends on the input."""
        resampling = 5 if self.config.antialias else 3
        return 6 + (2 * self.config.blocks + resampling) * self.period

    @property
    def feature_channels(self) -> tuple[int, ...]:
        """Channels of each layer that `features` returns."""
        widths = tuple(self.config.width * 2 ** (i + 1) for i in range(self.config.halvings))
        return (self.config.source_channels, *widths, widths[-1], widths[-1])

    def features(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Return the layers that PatchNCE compares.

        They are the picture, every downsampling convolution, and the first and last residual block;
        each is (N, channels, h, w), from full resolution to 2^halvings below it.
        """
        features = [pictures]
        x = self.stem(pictures)
        for layer in self.down:
            x = layer(x)
            features.append(x)
        block_outputs = []
        for block in self.blocks:
            x = block(x)
            block_outputs.append(x)
        return (*features, block_outputs[0], block_outputs[-1])

    def body(self, pictures: Tensor) -> Tensor:
        """Apply all but the last convolution, giving (N, width, H, W)."""
        check_sides(pictures, self.period)
        x = self.stem(pictures)
        for layer in (*self.down, *self.blocks):
            x = layer(x)
        return torch.as_tensor(self.up(x))

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the translated pictures.

        Raises `InputError` for sides that are not multiples of `period`.
        """
        return torch.as_tensor(self.head(self.body(pictures)))


class ResidualBlock(nn.Module):
    """(N, C, H, W) to the same: two 3 x 3 convolutions with reflected padding, and a shortcut."""

    def __init__(self, channels: int, norm: Norm, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_make_reflected_conv(channels, channels, 3, norm),
            nn.ReLU(),
            *([nn.Dropout(dropout)] if dropout else []),
            *_make_reflected_conv(channels, channels, 3, norm),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` plus the convolutions' output."""
        return x + torch.as_tensor(self.layers(x))


def make_stem(before: int, after: int, norm: Norm) -> nn.Sequential:
    """Return a 7 x 7 convolution with reflected padding at full resolution."""
    return nn.Sequential(*_make_reflected_conv(before, after, 7, norm), nn.ReLU())


def make_downsampling(
    before: int, after: int, norm: Norm, antialias: bool = False
) -> nn.Sequential:
    """Return a 3 x 3 convolution to half the resolution, strided or with a `BlurPool` after it."""
    stride = 1 if antialias else 2
    convolution = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=needs_bias(norm))
    layers = nn.Sequential(convolution, make_normalisation(norm, after), nn.ReLU())
    return layers.append(BlurPool()) if antialias else layers


def make_upsampling(before: int, after: int, norm: Norm, antialias: bool = False) -> nn.Sequential:
    """Return a 3 x 3 convolution to twice the resolution.

    It is fractionally strided, or comes after a `BlurUpsample`.
    """
    bias = needs_bias(norm)
    finish = (make_normalisation(norm, after), nn.ReLU())
    if antialias:
        convolution = nn.Conv2d(before, after, 3, padding=1, bias=bias)
        return nn.Sequential(BlurUpsample(), convolution, *finish)
    strided = nn.ConvTranspose2d(before, after, 3, 2, 1, output_padding=1, bias=bias)
    return nn.Sequential(strided, *finish)


def make_head(before: int, after: int, output: Output = "tanh") -> nn.Sequential:
    """Return a 7 x 7 convolution with reflected padding to a picture in the range of `output`."""
    activation = nn.Tanh() if output == "tanh" else nn.Sigmoid()
    return nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(before, after, 7), activation)


def check_sides(pictures: Tensor, period: int) -> None:
    """Raise `InputError` unless H and W of (N, C, H, W) are multiples of `period`."""
    height, width = pictures.shape[-2:]
    if height % period or width % period:
        raise InputError(
            "the generator cannot halve these pictures",
            expected=f"sides in multiples of {period}",
            got=(height, width),
        )


def _make_reflected_conv(before: int, after: int, size: int, norm: Norm) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(before, after, size, bias=needs_bias(norm))
    return nn.ReflectionPad2d(size // 2), convolution, make_normalisation(norm, after)
