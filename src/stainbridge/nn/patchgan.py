"""The discriminator that judges overlapping patches.

Isola et al. 2017, arXiv:1611.07004, section 6.1.2; with three halvings each score sees 70 x 70
pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated, Literal

from torch import Tensor, nn

from stainbridge.errors import InputError
from stainbridge.nn.normalisation import Norm, initialise_weights, make_normalisation, needs_bias
from stainbridge.ranges import Within, check_ranges


@dataclass(frozen=True)
class PatchGANConfig:
    """Sizes of the discriminator; the defaults have 2.77 million parameters.

    Raises `InputError` for sizes that are not positive.
    """

    kind: Literal["patchgan"] = "patchgan"
    """Name of the discriminator."""
    width: Annotated[int, Within(1, 8192)] = 64
    """Channels after the first halving; doubled at each of the next three."""
    halvings: Annotated[int, Within(1, 10)] = 3
    """Halvings of the resolution."""
    norm: Norm = "instance"
    """The normalisation."""
    channels: Annotated[int, Within(1, 256)] = 3
    """Channels that go in: six for source and target together (a conditional discriminator)."""
    padding: Annotated[int, Within(0, 16)] = 1
    """Padding of every convolution in pixels; pix2pixHD pads by 2."""

    def __post_init__(self) -> None:
        check_ranges(self)

    @classmethod
    def preset(cls, name: str) -> PatchGANConfig:
        """Return "paper", or "small" with 0.2 million parameters."""
        return cls(width=16) if name == "small" else cls()

    def at_half_width(self) -> PatchGANConfig:
        """Return the same with half the channels, at least one, in every layer."""
        return replace(self, width=max(1, self.width // 2))


class PatchGAN(nn.Module):
    """Pictures (N, channels, H, W) to a score for each patch, (N, 1, h, w).

    h and w are about an eighth of H and W.
    """

    def __init__(self, config: PatchGANConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.width * min(2**i, 8) for i in range(config.halvings + 1)]
        first = nn.Conv2d(config.channels, widths[0], 4, 2, config.padding)
        layers = [nn.Sequential(first, nn.LeakyReLU(0.2))]
        for i, (before, after) in enumerate(pairwise(widths)):
            stride = 2 if i < config.halvings - 1 else 1
            convolution = nn.Conv2d(
                before, after, 4, stride, config.padding, bias=needs_bias(config.norm)
            )
            layers.append(
                nn.Sequential(
                    convolution, make_normalisation(config.norm, after), nn.LeakyReLU(0.2)
                )
            )
        layers.append(nn.Sequential(nn.Conv2d(widths[-1], 1, 4, 1, config.padding)))
        self.layers = nn.ModuleList(layers)
        initialise_weights(self)

    def features(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Return every layer's output, (N, C, h, w) each, the scores last.

        Raises `InputError` for another number of channels.
        """
        if pictures.shape[1] != self.config.channels:
            raise InputError(
                "wrong channels to judge", expected=self.config.channels, got=pictures.shape[1]
            )
        x = pictures
        outputs = []
        for layer in self.layers:
            x = layer(x)
            outputs.append(x)
        return tuple(outputs)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the scores, without a sigmoid."""
        return self.features(pictures)[-1]
