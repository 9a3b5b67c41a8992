"""pix2pixHD's generator: a global one at low resolution, and enhancers that each double it.

Wang et al. 2018, arXiv:1711.11585, section 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from stainbridge.errors import InputError
from stainbridge.nn.multiscale_discriminator import half
from stainbridge.nn.normalisation import initialise
from stainbridge.nn.resnet_generator import (
    ResidualBlock,
    ResNetConfig,
    ResNetGenerator,
    check_sides,
    double,
    halve,
    head,
    stem,
)


@dataclass(frozen=True)
class CoarseToFineConfig:
    """`coarse` works at 1 / 2^enhancers of the resolution; each enhancer has `blocks` residual
    blocks.

    The defaults' global generator has 182.5 million parameters. With no enhancer it works alone, as
    the paper's first phase of training and its reference code's default.
    """

    kind: Literal["coarse-to-fine"] = "coarse-to-fine"
    coarse: ResNetConfig = field(default_factory=lambda: ResNetConfig(halvings=4))
    enhancers: int = 1
    blocks: int = 3

    def __post_init__(self) -> None:
        if self.enhancers < 0 or self.blocks < 1:
            raise InputError("an enhancer needs a block", got=(self.enhancers, self.blocks))
        if self.coarse.width % 2**self.enhancers:
            raise InputError(
                "each enhancer halves the width", expected="a divisible one", got=self.coarse.width
            )

    @classmethod
    def preset(cls, name: str) -> CoarseToFineConfig:
        """ "paper" or "small" (1.4 million parameters)."""
        return (
            cls(coarse=ResNetConfig(width=16, halvings=3, blocks=4)) if name == "small" else cls()
        )


class CoarseToFineGenerator(nn.Module):
    """Pictures (N, source, H, W) to (N, target, H, W), both in −1 … 1; H and W multiples of
    `period`.
    """

    def __init__(self, config: CoarseToFineConfig) -> None:
        super().__init__()
        self.config = config
        self.coarse = ResNetGenerator(config.coarse)
        self.period: int = self.coarse.period * 2**config.enhancers
        widths = [config.coarse.width // 2 ** (i + 1) for i in range(config.enhancers)]
        self.enhancers = nn.ModuleList(Enhancer(width, config) for width in widths)
        del (
            self.coarse.head
        )  # the finest features are looked at, its own only where there are no others
        self.head = head(config.coarse.width // 2**config.enhancers, config.coarse.target_channels)
        initialise(self)

    @property
    def reach(self) -> int:
        """How many pixels around it a pixel put out depends on, but for what normalisation takes
        from all of them.
        """
        halvings: int = 2**self.config.enhancers
        return (self.coarse.reach + 1) * halvings + (4 * self.config.blocks + 4) * (halvings - 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """The translated pictures.

        Raises `InputError` for sides that cannot be halved often enough.
        """
        check_sides(pictures, self.period)
        pyramid = [pictures]
        for _ in self.enhancers:
            pyramid.append(half(pyramid[-1]))
        x = self.coarse.body(pyramid.pop())
        for enhancer in self.enhancers:
            x = enhancer(pyramid.pop(), x)
        return torch.as_tensor(self.head(x))


class Enhancer(nn.Module):
    """A picture (N, source, H, W) and features (N, 2 width, H / 2, W / 2) of below to features (N,
    width, H, W).
    """

    def __init__(self, width: int, config: CoarseToFineConfig) -> None:
        super().__init__()
        norm, channels = config.coarse.norm, config.coarse.source_channels
        self.front = nn.Sequential(stem(channels, width, norm), halve(width, 2 * width, norm))
        blocks = (
            ResidualBlock(2 * width, norm, config.coarse.dropout) for _ in range(config.blocks)
        )
        self.back = nn.Sequential(*blocks, double(2 * width, width, norm))

    def forward(self, pictures: Tensor, below: Tensor) -> Tensor:
        """The front half's features and those of below are added."""
        return torch.as_tensor(self.back(self.front(pictures) + below))
