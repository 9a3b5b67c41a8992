"""Discriminators of one architecture on a picture and on its halvings.

Wang et al. 2018, "High-resolution image synthesis and semantic manipulation with conditional GANs"
(pix2pixHD), arXiv:1711.11585, section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from stainbridge.nn.patchgan import PatchGAN, PatchGANConfig
from stainbridge.ranges import Within, check_ranges


@dataclass(frozen=True)
class MultiscaleDiscriminatorConfig:
    """Number and sizes of the discriminators. Raises `InputError` where there is no scale."""

    kind: Literal["multiscale"] = "multiscale"
    """Name of the discriminator."""
    scales: Annotated[int, Within(1, 10)] = 3
    """Number of scales: three in the paper, two in its reference code's defaults."""
    patch: PatchGANConfig = field(default_factory=lambda: PatchGANConfig(channels=6, padding=2))
    """The discriminator of each scale."""

    def __post_init__(self) -> None:
        check_ranges(self)


class MultiscaleDiscriminator(nn.Module):
    """Pictures (N, channels, H, W) to the features of each scale's PatchGAN, the finest first."""

    def __init__(self, config: MultiscaleDiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.scales = nn.ModuleList(PatchGAN(config.patch) for _ in range(config.scales))

    def features(self, pictures: Tensor) -> tuple[tuple[Tensor, ...], ...]:
        """Return each scale's outputs of every layer, (N, C, h, w) each, the scores last."""
        features = []
        for patchgan in self.scales:
            assert isinstance(patchgan, PatchGAN)
            features.append(patchgan.features(pictures))
            pictures = halve(pictures)
        return tuple(features)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Return the scores of each scale, (N, 1, h, w), without a sigmoid."""
        return tuple(outputs[-1] for outputs in self.features(pictures))


def halve(pictures: Tensor) -> Tensor:
    """Average (N, C, H, W) over 3 x 3 pixels at every second pixel, within the border."""
    return F.avg_pool2d(pictures, 3, stride=2, padding=1, count_include_pad=False)
