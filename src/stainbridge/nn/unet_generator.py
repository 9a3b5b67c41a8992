"""The U-Net generator of pix2pix: down to a single vector, with skip connections on the way up.

Isola et al. 2017, "Image-to-image translation with conditional adversarial networks",
arXiv:1611.07004, section 6.1.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from stainbridge.nn.generators import Generator
from stainbridge.nn.normalisation import Norm, initialise_weights, make_normalisation, needs_bias
from stainbridge.nn.resnet_generator import check_sides
from stainbridge.ranges import PartialShare, Within, check_ranges


@dataclass(frozen=True)
class UNetConfig:
    """Sizes of the generator; the defaults are U-Net-256, with 54.4 million parameters.

    Raises `InputError` for sizes that make no generator.
    """

    kind: Literal["unet"] = "unet"
    """Name of the generator in its table."""
    width: Annotated[int, Within(1, 8192)] = 64
    """Channels after the first halving; doubled at each of the next three."""
    halvings: Annotated[int, Within(2, 12)] = 8
    """Halvings of the resolution: with 8, 256 px become one."""
    norm: Norm = "batch"
    """The normalisation."""
    dropout: PartialShare = 0.5
    """Probability of dropout between the widest layers."""
    source_channels: Annotated[int, Within(1, 256)] = 3
    """Channels of the pictures that go in."""
    target_channels: Annotated[int, Within(1, 256)] = 3
    """Channels of the pictures that come out."""

    def __post_init__(self) -> None:
        check_ranges(self)

    @classmethod
    def preset(cls, name: str) -> UNetConfig:
        """Return "paper", or "small" with 1.8 million parameters for at least 64 px."""
        return cls(width=16, halvings=6) if name == "small" else cls()


class UNetGenerator(Generator):
    """Strided convolutions down, transposed ones up, skip connections between them."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        self.period: int = 2**config.halvings
        widths = [config.width * min(2**i, 8) for i in range(config.halvings)]
        lowest = config.halvings - 1
        bias = needs_bias(config.norm)
        self.down = nn.ModuleList(
            [nn.Conv2d(config.source_channels, widths[0], 4, 2, 1, bias=bias)]
        )
        for i in range(1, config.halvings):
            convolution = nn.Conv2d(widths[i - 1], widths[i], 4, 2, 1, bias=bias)
            # the lowest layer may be one pixel, which has no statistics
            norms = [make_normalisation(config.norm, widths[i])] if i < lowest else []
            self.down.append(nn.Sequential(nn.LeakyReLU(0.2), convolution, *norms))
        self.up = nn.ModuleList(self._make_upsampling(widths, i) for i in range(lowest, 0, -1))
        last = nn.ConvTranspose2d(2 * widths[0], config.target_channels, 4, 2, 1)
        self.head = nn.Sequential(nn.ReLU(), last, nn.Tanh())
        initialise_weights(self)

    @property
    def reach(self) -> int:
        """How far around it, in pixels, an output pixel depends on the input."""
        return 4 * self.period

    def _make_upsampling(self, widths: list[int], i: int) -> nn.Sequential:
        is_lowest = i == len(widths) - 1
        before = widths[i] * (1 if is_lowest else 2)
        after = widths[i - 1]
        has_dropout = self.config.dropout and not is_lowest and widths[i] == after
        return nn.Sequential(
            nn.ReLU(),
            nn.ConvTranspose2d(before, after, 4, 2, 1, bias=needs_bias(self.config.norm)),
            make_normalisation(self.config.norm, after),
            *([nn.Dropout(self.config.dropout)] if has_dropout else []),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the translated pictures.

        Raises `InputError` for sides that are not multiples of `period`.
        """
        check_sides(pictures, self.period)
        x = pictures
        skips = []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        for layer, skip in zip(self.up, skips[-2::-1], strict=True):
            x = torch.cat([skip, layer(x)], 1)
        return torch.as_tensor(self.head(x))
