"""pix2pixHD's generator: a global one at low resolution, and enhancers that each double it.

Wang et al. 2018, arXiv:1711.11585, section 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from stainbridge.errors import InputError
from stainbridge.nn.generators import Generator
from stainbridge.nn.multiscale_discriminator import halve
from stainbridge.nn.normalisation import Norm, initialise_weights
from stainbridge.nn.resnet_generator import (
    ResidualBlock,
    ResNetConfig,
    ResNetGenerator,
    check_sides,
    make_downsampling,
    make_head,
    make_stem,
    make_upsampling,
)
from stainbridge.ranges import Within, check_ranges


@dataclass(frozen=True)
class CoarseToFineConfig:
    """Sizes of the global generator and its enhancers.

    The defaults' global generator has 182.5 million parameters. Raises `InputError` for sizes that
    make no generator.
    """

    kind: Literal["coarse-to-fine"] = "coarse-to-fine"
    """Name of the generator in its table."""
    coarse: ResNetConfig = field(default_factory=lambda: ResNetConfig(halvings=4))
    """The global generator, which works at 1 / 2^enhancers of the resolution."""
    enhancers: Annotated[int, Within(0, 6)] = 1
    """Number of enhancers.

    With 0 the global generator works alone, as in the paper's first phase of training and by
    default in its reference code."""
    blocks: Annotated[int, Within(1, 256)] = 3
    """Residual blocks of each enhancer."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.coarse.width % 2**self.enhancers:
            raise InputError(
                "each enhancer halves the width", expected="a divisible one", got=self.coarse.width
            )

    @property
    def source_channels(self) -> int:
        """Channels of the pictures that go in."""
        return self.coarse.source_channels

    @property
    def target_channels(self) -> int:
        """Channels of the pictures that come out."""
        return self.coarse.target_channels

    @property
    def norm(self) -> Norm:
        """The normalisation."""
        return self.coarse.norm

    @classmethod
    def preset(cls, name: str) -> CoarseToFineConfig:
        """Return "paper", or "small" with 1.4 million parameters."""
        return (
            cls(coarse=ResNetConfig(width=16, halvings=3, blocks=4)) if name == "small" else cls()
        )


class CoarseToFineGenerator(Generator):
    """A residual generator of low resolution, and enhancers up to full resolution."""

    def __init__(self, config: CoarseToFineConfig) -> None:
        super().__init__()
        self.config = config
        self.coarse = ResNetGenerator(config.coarse)
        self.period: int = self.coarse.period * 2**config.enhancers
        widths = [config.coarse.width // 2 ** (i + 1) for i in range(config.enhancers)]
        self.enhancers = nn.ModuleList(Enhancer(width, config) for width in widths)
        # the head sees the finest features, which are the global generator's without enhancers
        del self.coarse.head
        self.head = make_head(
            config.coarse.width // 2**config.enhancers,
            config.coarse.target_channels,
            config.coarse.output,
        )
        initialise_weights(self)

    @property
    def reach(self) -> int:
        """How far around it, in pixels, an output pixel depends on the input."""
        halvings: int = 2**self.config.enhancers
        resampling = 6 if self.config.coarse.antialias else 4
        enhancer = 4 * self.config.blocks + resampling
        return (self.coarse.reach + 1) * halvings + enhancer * (halvings - 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the translated pictures.

        Raises `InputError` for sides that are not multiples of `period`.
        """
        check_sides(pictures, self.period)
        pyramid = [pictures]
        for _ in self.enhancers:
            pyramid.append(halve(pyramid[-1]))
        x = self.coarse.body(pyramid.pop())
        for enhancer in self.enhancers:
            x = enhancer(pyramid.pop(), x)
        return torch.as_tensor(self.head(x))


class Enhancer(nn.Module):
    """A picture (N, source, H, W) and coarser features (N, 2 width, H / 2, W / 2) to features.

    The features that come out are (N, width, H, W).
    """

    def __init__(self, width: int, config: CoarseToFineConfig) -> None:
        super().__init__()
        norm = config.norm
        antialias = config.coarse.antialias
        self.front = nn.Sequential(
            make_stem(config.source_channels, width, norm),
            make_downsampling(width, 2 * width, norm, antialias),
        )
        blocks = (
            ResidualBlock(2 * width, norm, config.coarse.dropout) for _ in range(config.blocks)
        )
        self.back = nn.Sequential(*blocks, make_upsampling(2 * width, width, norm, antialias))

    def forward(self, pictures: Tensor, coarser: Tensor) -> Tensor:
        """Add the front half's features and the coarser ones, and apply the back half."""
        return torch.as_tensor(self.back(self.front(pictures) + coarser))
