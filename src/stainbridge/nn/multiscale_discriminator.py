"""Alike discriminators on a picture and on its halvings.

Wang et al. 2018, "High-resolution image synthesis and semantic manipulation with conditional GANs"
(pix2pixHD), arXiv:1711.11585, section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from stainbridge.errors import InputError
from stainbridge.nn.patchgan import PatchGAN, PatchGANConfig


@dataclass(frozen=True)
class MultiscaleDiscriminatorConfig:
    """`scales` discriminators like `patch`: three in the paper, two in its reference code's
    defaults.
    """

    kind: Literal["multiscale"] = "multiscale"
    scales: int = 3
    patch: PatchGANConfig = field(default_factory=lambda: PatchGANConfig(channels=6, padding=2))

    def __post_init__(self) -> None:
        if self.scales < 1:
            raise InputError(
                "a discriminator needs a scale", expected="at least 1", got=self.scales
            )


class MultiscaleDiscriminator(nn.Module):
    """Pictures (N, channels, H, W) to the features of each scale's PatchGAN, the finest first."""

    def __init__(self, config: MultiscaleDiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.scales = nn.ModuleList(PatchGAN(config.patch) for _ in range(config.scales))

    def features(self, pictures: Tensor) -> tuple[tuple[Tensor, ...], ...]:
        """For each scale what every layer puts out, (N, C, h, w) each, the scores last."""
        found = []
        for patchgan in self.scales:
            assert isinstance(patchgan, PatchGAN)
            found.append(patchgan.features(pictures))
            pictures = half(pictures)
        return tuple(found)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """The scores of each scale, (N, 1, h, w), without a sigmoid."""
        return tuple(features[-1] for features in self.features(pictures))


def half(pictures: Tensor) -> Tensor:
    """(N, C, H, W) averaged over 3 x 3 pixels at every second; beyond the border nothing counts."""
    return F.avg_pool2d(pictures, 3, stride=2, padding=1, count_include_pad=False)
