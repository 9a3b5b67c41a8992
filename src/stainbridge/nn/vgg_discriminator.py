"""ESRGAN's discriminator: one score for a whole picture, by convolutions like VGG's.

Ledig et al. 2017, "Photo-realistic single image super-resolution using a generative adversarial
network", arXiv:1609.04802, section 2.1.1, as ESRGAN's (arXiv:1809.00219) published code has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from stainbridge.errors import InputError
from stainbridge.nn.normalisation import normalisation

#: Pixels a side that are left for the linear layers, and how many numbers the first of them puts
#: out.
LEFT_PX, SUMMARY = 4, 100


@dataclass(frozen=True)
class VGGDiscriminatorConfig:
    """`width` channels at full resolution, doubled up to eight times at each of `halvings`.

    The defaults judge pictures of 128 px, with 14.5 million parameters.
    """

    kind: Literal["vgg"] = "vgg"
    width: int = 64
    halvings: int = 5
    channels: int = 3

    def __post_init__(self) -> None:
        if min(self.width, self.halvings, self.channels) < 1:
            raise InputError("every size of the discriminator must be positive", got=self)

    @property
    def side_px(self) -> int:
        """The side of the pictures that it judges."""
        return int(LEFT_PX * 2**self.halvings)

    @classmethod
    def preset(cls, name: str) -> VGGDiscriminatorConfig:
        """ "paper" or "small" (pictures of 64 px, 0.7 million parameters)."""
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
        layers += _halved(widths[0])
        for before, after in pairwise(widths):
            layers += [
                nn.Conv2d(before, after, 3, padding=1, bias=False),
                *_normalised(after),
                *_halved(after),
            ]
        self.layers = nn.Sequential(*layers, nn.Flatten())
        summary = nn.Linear(widths[-1] * LEFT_PX**2, SUMMARY)
        self.score = nn.Sequential(summary, nn.LeakyReLU(0.2), nn.Linear(SUMMARY, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        """The scores. Raises `InputError` for pictures of another size."""
        side = self.config.side_px
        if pictures.shape[1:] != (self.config.channels, side, side):
            expected = (self.config.channels, side, side)
            raise InputError(
                "pictures the discriminator cannot judge",
                expected=expected,
                got=tuple(pictures.shape[1:]),
            )
        return torch.as_tensor(self.score(self.layers(pictures)))


def _halved(width: int) -> list[nn.Module]:
    return [nn.Conv2d(width, width, 4, 2, 1, bias=False), *_normalised(width)]


def _normalised(width: int) -> list[nn.Module]:
    return [normalisation("batch", width), nn.LeakyReLU(0.2)]
