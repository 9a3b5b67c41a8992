"""Networks that several published objectives share."""

from __future__ import annotations

from stainbridge.nn.multiscale_discriminator import MultiscaleDiscriminatorConfig
from stainbridge.nn.normalisation import Norm
from stainbridge.nn.patchgan import PatchGANConfig
from stainbridge.nn.resnet_generator import ResNetConfig
from stainbridge.translation.objectives.config import TrainingPreset


def single_patchgan(
    preset: TrainingPreset, channels: int, norm: Norm
) -> MultiscaleDiscriminatorConfig:
    """Return one 70 x 70 PatchGAN for pictures of `channels`."""
    width = PatchGANConfig.preset(preset).width
    return MultiscaleDiscriminatorConfig(
        scales=1, patch=PatchGANConfig(width=width, norm=norm, channels=channels)
    )


def dropout_resnet(preset: TrainingPreset) -> ResNetConfig:
    """Return pix2pix's residual generator: batch normalisation, and dropout for its noise."""
    base = ResNetConfig.preset(preset)
    return ResNetConfig(width=base.width, blocks=base.blocks, norm="batch", dropout=0.5)
