"""The generators of picture translation by their configurations."""

from __future__ import annotations

from typing import TypeAlias

from stainbridge.nn.coarse_to_fine_generator import CoarseToFineConfig, CoarseToFineGenerator
from stainbridge.nn.resnet_generator import ResNetConfig, ResNetGenerator
from stainbridge.nn.unet_generator import UNetConfig, UNetGenerator

GeneratorConfig: TypeAlias = ResNetConfig | UNetConfig | CoarseToFineConfig
Generator: TypeAlias = ResNetGenerator | UNetGenerator | CoarseToFineGenerator


def generator(config: GeneratorConfig) -> Generator:
    """The untrained network of a configuration."""
    match config:
        case ResNetConfig():
            return ResNetGenerator(config)
        case UNetConfig():
            return UNetGenerator(config)
        case CoarseToFineConfig():
            return CoarseToFineGenerator(config)
