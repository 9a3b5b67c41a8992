"""CycleGAN, plain or with a perceptual loss, from tiles that need not show the same tissue.

Zhu et al. 2017, arXiv:1703.10593.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stainbridge.errors import InputError
from stainbridge.learn.task import Update
from stainbridge.nn.generators import build_generator
from stainbridge.nn.multiscale_discriminator import MultiscaleDiscriminator
from stainbridge.nn.perceptual import SEEDED, VGG16, PerceptualConfig, PerceptualNet
from stainbridge.nn.resnet_generator import ResNetConfig
from stainbridge.ranges import Weight, Within, check_ranges
from stainbridge.translation.objectives.adversarial import (
    Adversary,
    discriminator_loss,
    generator_loss,
)
from stainbridge.translation.objectives.comparison import SHOWN, picture_distances, picture_rows
from stainbridge.translation.objectives.config import (
    TrainingPreset,
    TranslationConfig,
    TranslationObjectiveConfig,
)
from stainbridge.translation.objectives.image_buffer import ImageBuffer
from stainbridge.translation.objectives.preset_networks import single_patchgan
from stainbridge.translation.objectives.published import PaperTraining, PublishedObjective
from stainbridge.translation.objectives.task import (
    REVERSE_GENERATOR,
    SOURCE_DISCRIMINATOR,
    TilePair,
    TranslationTask,
)
from stainbridge.translation.objectives.terms import cycle, identity, perceptual


@dataclass(frozen=True)
class CycleConfig(TranslationObjectiveConfig):
    """Weights of CycleGAN's terms beside its adversarial ones.

    `perceptual_weight` 0 is plain CycleGAN; 1 with `cycle_weight` 1 is CycGANRegNet's.
    """

    FORMER_NAMES: ClassVar[Mapping[str, str]] = {
        "cycle": "cycle_weight",
        "identity": "identity_weight",
        "feature": "perceptual_weight",
        "buffer": "buffer_size",
    }
    needs_pairs: ClassVar[bool] = False
    selection_measure: ClassVar[str] = "cycle_l1"

    kind: Literal["cycle"] = "cycle"
    """The kind of objective, in files."""
    adversary: Adversary = "least-squares"
    """What discriminators and generators minimise."""
    cycle_weight: Weight = 10.0
    """Weight of the difference of a tile and what returns of it, translated there and back."""
    identity_weight: Weight = 0.0
    """Weight of how much a target tile changes. CycleGAN uses half of `cycle_weight`."""
    perceptual_weight: Weight = 0.0
    """Weight of the perceptual loss between a tile and its translation."""
    buffer_size: Annotated[int, Within(0, 100_000)] = 50
    """Translated tiles that are kept to be shown to the discriminators again."""
    perceptual: PerceptualConfig = field(default_factory=PerceptualConfig)
    """The network of the perceptual loss."""

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def perceptual_network(self) -> str | None:
        """Name of the network whose features are compared; None without a perceptual loss."""
        if not self.perceptual_weight:
            return None
        return VGG16 if self.perceptual.weights else SEEDED

    def with_perceptual_weights(self, weights: str) -> Self:
        """Return the same with a file of VGG-16's weights for the perceptual loss.

        Raises `InputError` where the perceptual loss has no weight.
        """
        if not self.perceptual_weight:
            return super().with_perceptual_weights(weights)
        return replace(self, perceptual=replace(self.perceptual, weights=weights))

    def check_networks(self, config: TranslationConfig) -> None:
        """Raise `InputError` where source and target differ in channels."""
        source, target = config.channels
        if source != target:
            raise InputError(
                "a cycle needs source and target of as many channels", expected=source, got=target
            )
        super().check_networks(config)


class CycleTask(TranslationTask):
    """Generators and discriminators of both directions.

    Both generators are trained together, then both discriminators. The best weights are those of
    the least `cycle_l1`: the difference of tiles translated there and back, the mean of both
    directions. It needs no pair to compare with. Where held-out tiles are paired, their distances
    are measured too. The perceptual network is no part of the run's weights; its `name` says which
    it is.
    """

    def __init__(self, config: TranslationConfig, objective: CycleConfig) -> None:
        super().__init__(config)
        self.objective = objective
        self.reverse_generator = build_generator(config.generator)
        self.source_discriminator = MultiscaleDiscriminator(config.discriminator)
        shape = (config.channels[1], config.tile_px, config.tile_px)
        self.fake_targets = ImageBuffer(objective.buffer_size, shape)
        self.fake_sources = ImageBuffer(objective.buffer_size, shape)
        self.perceptual = (
            PerceptualNet(objective.perceptual) if objective.perceptual_weight else None
        )
        self.networks = {
            **self.networks,
            REVERSE_GENERATOR: self.reverse_generator,
            SOURCE_DISCRIMINATOR: self.source_discriminator,
            "old_targets": self.fake_targets,
            "old_sources": self.fake_sources,
        }
        self.optimisers = {
            "generator": self._adam(self.generator, self.reverse_generator),
            "discriminator": self._adam(self.target_discriminator, self.source_discriminator),
        }

    def updates(self, batch: TilePair) -> Iterator[Update]:
        """Yield the generators' loss, then the discriminators' on fakes some of which are older."""
        source, target = batch.source, batch.target
        fake_target = self.generator(source)
        fake_source = self.reverse_generator(target)
        terms = self._terms(source, target, fake_target, fake_source)
        yield Update("generator", torch.stack(list(terms.values())).sum(), terms)
        loss = self._discriminator_loss(
            self.target_discriminator, target, self.fake_targets(fake_target)
        )
        loss = loss + self._discriminator_loss(
            self.source_discriminator, source, self.fake_sources(fake_source)
        )
        yield Update("discriminator", loss)

    def measure(self, batch: TilePair) -> Mapping[str, float]:
        """Return the distances of tiles that went there and back, as `cycle_…`.

        Of paired tiles also the distances of fakes from real ones.
        """
        fake_target = self.generator(batch.source)
        fake_source = self.reverse_generator(batch.target)
        source_cycle = picture_distances(self.reverse_generator(fake_target), batch.source)
        target_cycle = picture_distances(self.generator(fake_source), batch.target)
        cycles = {
            f"cycle_{name}": (source_cycle[name] + target_cycle[name]) / 2 for name in source_cycle
        }
        paired = bool(torch.as_tensor(batch.paired).all())
        return {**cycles, **(picture_distances(fake_target, batch.target) if paired else {})}

    def picture(self, batch: TilePair) -> npt.NDArray[np.uint8]:
        """Draw a row a sample, (H, W, 3).

        Source, fake target, source again; then target, fake source, target again.
        """
        source = batch.source[:SHOWN]
        target = batch.target[:SHOWN]
        fake_target = self.generator(source)
        fake_source = self.reverse_generator(target)
        source_cycle = (source, fake_target, self.reverse_generator(fake_target))
        return picture_rows(*source_cycle, target, fake_source, self.generator(fake_source))

    def _terms(
        self, source: Tensor, target: Tensor, fake_target: Tensor, fake_source: Tensor
    ) -> dict[str, Tensor]:
        """Return the weighted terms of both directions."""
        config = self.objective
        adversarial = generator_loss(self.target_discriminator(fake_target), config.adversary)
        adversarial = adversarial + generator_loss(
            self.source_discriminator(fake_source), config.adversary
        )
        cycles = cycle(self.reverse_generator, fake_target, source) + cycle(
            self.generator, fake_source, target
        )
        terms = {"adversarial": adversarial, "cycle": config.cycle_weight * cycles}
        if config.identity_weight:
            changes = identity(self.generator, target) + identity(self.reverse_generator, source)
            terms["identity"] = config.identity_weight * changes
        if self.perceptual is not None:
            network = self.perceptual.to(source.device)
            distance = perceptual(network, fake_target, source) + perceptual(
                network, fake_source, target
            )
            terms["perceptual"] = config.perceptual_weight * distance
        return terms

    def _discriminator_loss(
        self, discriminator: MultiscaleDiscriminator, real: Tensor, fake: Tensor
    ) -> Tensor:
        return discriminator_loss(
            discriminator(real), discriminator(fake), self.objective.adversary
        )


def cyclegan(preset: TrainingPreset) -> TranslationConfig:
    """Return CycleGAN with its identity term."""
    return TranslationConfig(
        ResNetConfig.preset(preset),
        single_patchgan(preset, 3, "instance"),
        CycleConfig(identity_weight=5.0),
    )


#: One tile a step for 200,000 steps.
CYCLEGAN_TRAINING = PaperTraining(tile_px=256, batch=1, steps=200_000)
OBJECTIVE = PublishedObjective(CycleConfig, CycleTask, cyclegan, CYCLEGAN_TRAINING)
