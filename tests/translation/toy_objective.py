"""An objective of one file: L1 and an adversarial term."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from stainbridge.learn.task import Update
from stainbridge.nn.resnet_generator import ResNetConfig
from stainbridge.translation.objectives.adversarial import discriminator_loss, generator_loss
from stainbridge.translation.objectives.config import (
    TrainingPreset,
    TranslationConfig,
    TranslationObjectiveConfig,
)
from stainbridge.translation.objectives.preset_networks import single_patchgan
from stainbridge.translation.objectives.published import PaperTraining, PublishedObjective
from stainbridge.translation.objectives.task import TilePair, TranslationTask
from stainbridge.translation.objectives.terms import pixelwise


@dataclass(frozen=True)
class ToyConfig(TranslationObjectiveConfig):
    """The weight of L1."""

    kind: Literal["toy"] = "toy"
    pixel_weight: float = 7.0


class ToyTask(TranslationTask):
    """The discriminator sees targets alone."""

    def __init__(self, config: TranslationConfig, objective: ToyConfig) -> None:
        super().__init__(config)
        self.objective = objective

    def updates(self, batch: TilePair) -> Iterator[Update]:
        """Yield the discriminator's loss, then the generator's."""
        fake = self.generator(batch.source)
        real_scores = self.target_discriminator(batch.target)
        fake_scores = self.target_discriminator(fake.detach())
        yield Update("discriminator", discriminator_loss(real_scores, fake_scores, "vanilla"))
        loss = generator_loss(self.target_discriminator(fake), "vanilla")
        yield Update(
            "generator", loss + self.objective.pixel_weight * pixelwise(fake, batch.target)
        )


def toy(preset: TrainingPreset) -> TranslationConfig:
    """Return the toy with tiny networks."""
    return TranslationConfig(
        ResNetConfig(width=4, blocks=1),
        single_patchgan(preset, 3, "instance"),
        ToyConfig(),
        tile_px=32,
    )


OBJECTIVE = PublishedObjective(ToyConfig, ToyTask, toy, PaperTraining(tile_px=32, batch=2, steps=2))
