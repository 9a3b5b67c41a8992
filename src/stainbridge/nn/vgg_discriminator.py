"""ESRGAN's discriminator: one score for a whole picture, by convolutions as in VGG.

Ledig et al. 2017, "Photo-realistic single image super-resolution using a generative adversarial
network", arXiv:1609.04802, section 2.1.1, as in the code published with ESRGAN (arXiv:1809.00219).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from stainbridge.errors import InputError
from stainbridge.nn.normalisation import make_normalisation
from stainbridge.ranges import Within, check_ranges

#: Side of the features that the linear layers see, in pixels.
FEATURES_PX = 4
#: Numbers that the first linear layer returns.
SUMMARY_SIZE = 100


@dataclass(frozen=True)
class VGGDiscriminatorConfig:
    """Sizes of the discriminator; the defaults judge pictures of 128 px.

    They have 14.5 million parameters. Raises `InputError` for sizes that are not positive.
    """

    kind: Literal["vgg"] = "vgg"
    """Name of the discriminator."""
    width: Annotated[int, Within(1, 8192)] = 64
    """Channels at full resolution; doubled at each of the next three halvings."""
    halvings: Annotated[int, Within(1, 10)] = 5
    """Halvings of the resolution."""
    channels: Annotated[int, Within(1, 256)] = 3
    """Channels of the pictures."""

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def side_px(self) -> int:
        """The side of the pictures that it judges, in pixels."""
        return int(FEATURES_PX * 2**self.halvings)

    @classmethod
    def preset(cls, name: str) -> VGGDiscriminatorConfig:
        """Return "paper", or "small" with 0.7 million parameters for pictures of 64 px."""
        return cls(width=16, halvings=4) if name == "small" else cls()


class VGGDiscriminator(nn.Module):
    """Pictures (N, channels, side, side) in −1 … 1 to a score each, (N, 1), without a sigmoid."""

    def __init__(self, config: VGGDiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.width * min(2**i, 8) for i in range(config.halvings)]
        layers: list[nn.Module] = [
            nn.Conv2d(config.channels, widths[0], 3, padding=1),
            nn.LeakyReLU(0.2),
        ]
        layers += _make_halving(widths[0])
        for before, after in pairwise(widths):
            layers += [
                nn.Conv2d(before, after, 3, padding=1, bias=False),
                *_make_norm(after),
                *_make_halving(after),
            ]
        self.layers = nn.Sequential(*layers, nn.Flatten())
        summary = nn.Linear(widths[-1] * FEATURES_PX**2, SUMMARY_SIZE)
        self.score = nn.Sequential(summary, nn.LeakyReLU(0.2), nn.Linear(SUMMARY_SIZE, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the scores. Raises `InputError` for pictures of another size."""
        side = self.config.side_px
        if pictures.shape[1:] != (self.config.channels, side, side):
            expected = (self.config.channels, side, side)
            raise InputError(
                "pictures the discriminator cannot judge",
                expected=expected,
                got=tuple(pictures.shape[1:]),
            )
        return torch.as_tensor(self.score(self.layers(pictures)))


def _make_halving(width: int) -> list[nn.Module]:
    return [nn.Conv2d(width, width, 4, 2, 1, bias=False), *_make_norm(width)]


def _make_norm(width: int) -> list[nn.Module]:
    return [make_normalisation("batch", width), nn.LeakyReLU(0.2)]
