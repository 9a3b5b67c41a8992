"""The U-Net generator of pix2pix: halved to a single vector, skip connections all the way up.

Isola et al. 2017, "Image-to-image translation with conditional adversarial networks",
arXiv:1611.07004, section 6.1.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from stainbridge.errors import InputError
from stainbridge.nn.normalisation import Norm, initialise, needs_bias, normalisation
from stainbridge.nn.resnet_generator import check_sides


@dataclass(frozen=True)
class UNetConfig:
    """`width` channels after the first of `halvings`, doubled at each of the next three, then as
    many all the way down.

    The defaults are U-Net-256: 256 px become one, 54.4 million parameters. `dropout` is between
    layers of the widest.
    """

    kind: Literal["unet"] = "unet"
    width: int = 64
    halvings: int = 8
    norm: Norm = "batch"
    dropout: float = 0.5
    source_channels: int = 3
    target_channels: int = 3

    def __post_init__(self) -> None:
        if min(self.width, self.source_channels, self.target_channels) < 1 or self.halvings < 2:
            raise InputError(
                "every size of the generator must be positive, halvings at least 2", got=self
            )
        if not 0 <= self.dropout < 1:
            raise InputError("dropout is a probability", expected="0 to below 1", got=self.dropout)

    @classmethod
    def preset(cls, name: str) -> UNetConfig:
        """ "paper" or "small" (1.8 million parameters, pictures of at least 64 px)."""
        return cls(width=16, halvings=6) if name == "small" else cls()


class UNetGenerator(nn.Module):
    """Pictures (N, source, H, W) to (N, target, H, W), both in −1 … 1; H and W multiples of
    `period`.
    """

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
            normalised = (
                [normalisation(config.norm, widths[i])] if i < lowest else []
            )  # one pixel has no statistics
            self.down.append(nn.Sequential(nn.LeakyReLU(0.2), convolution, *normalised))
        self.up = nn.ModuleList(self._doubled(widths, i) for i in range(lowest, 0, -1))
        last = nn.ConvTranspose2d(2 * widths[0], config.target_channels, 4, 2, 1)
        self.head = nn.Sequential(nn.ReLU(), last, nn.Tanh())
        initialise(self)

    @property
    def reach(self) -> int:
        """How many pixels around it a pixel put out depends on, but for what normalisation takes
        from all of them.
        """
        return 4 * self.period

    def _doubled(self, widths: list[int], i: int) -> nn.Sequential:
        lowest = i == len(widths) - 1
        before, after = widths[i] * (1 if lowest else 2), widths[i - 1]
        dropped = self.config.dropout and not lowest and widths[i] == after
        return nn.Sequential(
            nn.ReLU(),
            nn.ConvTranspose2d(before, after, 4, 2, 1, bias=needs_bias(self.config.norm)),
            normalisation(self.config.norm, after),
            *([nn.Dropout(self.config.dropout)] if dropped else []),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """The translated pictures.

        Raises `InputError` for sides that cannot be halved often enough.
        """
        check_sides(pictures, self.period)
        x, skips = pictures, []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        for layer, skip in zip(self.up, skips[-2::-1], strict=True):
            x = torch.cat([skip, layer(x)], 1)
        return torch.as_tensor(self.head(x))
