"""Tiny translations: networks of a few channels, tiles of 32 px."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from stainbridge.nn.coarse_to_fine_generator import CoarseToFineConfig
from stainbridge.nn.generators import GeneratorConfig
from stainbridge.nn.multiscale_discriminator import MultiscaleDiscriminatorConfig
from stainbridge.nn.perceptual import PerceptualConfig
from stainbridge.nn.resnet_generator import ResNetConfig
from stainbridge.nn.unet_generator import UNetConfig
from stainbridge.nn.unet_svf import UNetSVFConfig
from stainbridge.translation.objectives.config import TranslationConfig
from stainbridge.translation.objectives.cyclegan import CycleConfig
from stainbridge.translation.objectives.reg_gan import RegGanConfig
from stainbridge.translation.objectives.supervised_patchnce import ContrastConfig
from stainbridge.translation.objectives.task import TilePair

SIDE = 32


def tiny(name: str) -> TranslationConfig:
    """A published objective with very small networks."""
    config = TranslationConfig.preset(name)
    patch = replace(config.discriminator.patch, width=4, halvings=2)
    objective = config.objective
    if isinstance(objective, CycleConfig):
        objective = replace(
            objective, buffer_size=3, perceptual=PerceptualConfig(width=4, layers=(1,))
        )
    if isinstance(objective, RegGanConfig):
        network = UNetSVFConfig(down=(4, 6, 8), up=(8, 6), last=(4,), squarings=4)
        objective = replace(objective, buffer_size=3, registration=network)
    if isinstance(objective, ContrastConfig):
        objective = replace(objective, level_weights=(0.25, 1.0), locations=16, embedding_width=8)
    scales = min(config.discriminator.scales, 2)
    optimiser = replace(config.optimiser, rate=2e-3, steady_steps=50, decay_steps=50)
    discriminator = MultiscaleDiscriminatorConfig(scales=scales, patch=patch)
    return TranslationConfig(_small(config.generator), discriminator, objective, optimiser, SIDE)


def _small(config: GeneratorConfig) -> GeneratorConfig:
    match config:
        case ResNetConfig():
            return replace(config, width=4, blocks=2)
        case UNetConfig():
            return replace(config, width=4, halvings=4)
        case CoarseToFineConfig():
            return replace(config, coarse=ResNetConfig(width=8, blocks=1, halvings=2), blocks=1)


@dataclass(frozen=True)
class TileStream:
    """Blobs, and in the target stain the same with channels exchanged and inverted."""

    seed: int = 0

    def __getitem__(self, number: int) -> TilePair:
        rng = np.random.default_rng([self.seed, number])
        coarse = torch.from_numpy(rng.uniform(-1, 1, (1, 3, 8, 8)).astype(np.float32))
        source = torch.nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear")[0]
        return TilePair(source, -source.flip(0))


def batch(count: int = 2, seed: int = 0) -> TilePair:
    """The first tiles of a stream."""
    stream = TileStream(seed)
    tiles = [stream[number] for number in range(count)]
    return TilePair(
        torch.stack([tile.source for tile in tiles]), torch.stack([tile.target for tile in tiles])
    )
