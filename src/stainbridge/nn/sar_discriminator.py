"""SAR's discriminator: eight convolutions, two dense layers, one probability a picture.

Mahapatra & Ge, segmentation-augmented registration with transfer learning, figure 1 b. Its words
are those of Ledig et al. 2017, arXiv:1609.04802, section 2.1.1. That paper is followed where this
one is silent: slope of the leaky ReLU, batch normalisation, size of the first dense layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stainbridge.ranges import Within, check_ranges

#: Slope of the leaky ReLU on negative values.
SLOPE = 0.2


@dataclass(frozen=True)
class SarDiscriminatorConfig:
    """Sizes of the discriminator; the defaults are the paper's.

    Raises `InputError` for sizes that are not positive.
    """

    kind: Literal["sar"] = "sar"
    """Name of the discriminator."""
    widths: Annotated[tuple[int, ...], Within(1, 8192)] = (64, 64, 128, 128, 256, 256, 512, 512)
    """Maps of each convolution. One that has more than the one before it halves the resolution."""
    features_px: Annotated[int, Within(1, 64)] = 4
    """Side that the last maps are averaged to, so that pictures of any size can be judged."""
    hidden: Annotated[int, Within(1, 65536)] = 1024
    """Numbers that the first dense layer returns."""
    shrink: Annotated[int, Within(1, 64)] = 1
    """Pixels along a side that are averaged to one before the first convolution."""

    def __post_init__(self) -> None:
        check_ranges(self)

    @classmethod
    def preset(cls, name: str) -> SarDiscriminatorConfig:
        """Return "paper", or "small" for two CPU cores."""
        if name == "small":
            return cls(
                widths=(16, 16, 32, 32, 64, 64, 128, 128), features_px=2, hidden=64, shrink=4
            )
        return cls()


class SarDiscriminator(nn.Module):
    """Pictures (N, 1, H, W) of any size in 0 … 1 to a score each, (N, 1).

    A score is the probability's logit: losses take its sigmoid, which they compute more exactly.
    """

    def __init__(self, config: SarDiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        widths = (1, *config.widths)
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(pairwise(widths)):
            stride = 2 if number and after > before else 1
            layers.append(nn.Conv2d(before, after, 3, stride, 1, bias=not number))
            if number:
                layers.append(nn.BatchNorm2d(after))
            layers.append(nn.LeakyReLU(SLOPE))
        self.layers = nn.Sequential(*layers)
        self.dense = nn.Sequential(
            nn.Linear(widths[-1] * config.features_px**2, config.hidden),
            nn.LeakyReLU(SLOPE),
            nn.Linear(config.hidden, 1),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the scores, before the sigmoid."""
        x = 2 * pictures - 1
        if self.config.shrink > 1:
            x = F.avg_pool2d(x, self.config.shrink, ceil_mode=True)
        features = F.adaptive_avg_pool2d(self.layers(x), self.config.features_px)
        return torch.as_tensor(self.dense(features.flatten(1)))

    def judge(self, pictures: Tensor) -> Tensor:
        """Return the probability that each picture is a real one, (N, 1) in 0 … 1."""
        scores: Tensor = self(pictures)
        return scores.sigmoid()
