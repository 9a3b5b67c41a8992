"""Supervised PatchNCE with adaptive weights, from tiles of the same tissue, aligned roughly.

Li et al. 2023, arXiv:2303.06193. Its PatchNCE of translated targets (CUT's identity term) is left
out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from stainbridge.errors import InputError
from stainbridge.learn.task import Update
from stainbridge.nn.patch_projection import PatchProjection
from stainbridge.nn.resnet_generator import ResNetConfig, ResNetGenerator
from stainbridge.ranges import Weight, Within, check_ranges
from stainbridge.translation.objectives.adversarial import (
    Adversary,
    discriminator_loss,
    generator_loss,
)
from stainbridge.translation.objectives.config import (
    TrainingPreset,
    TranslationConfig,
    TranslationObjectiveConfig,
)
from stainbridge.translation.objectives.patch_nce import (
    adaptive_patch_nce,
    draw_locations,
    patch_nce,
)
from stainbridge.translation.objectives.preset_networks import single_patchgan
from stainbridge.translation.objectives.published import PaperTraining, PublishedObjective
from stainbridge.translation.objectives.pyramid import gaussian_l1
from stainbridge.translation.objectives.step_counter import StepCounter
from stainbridge.translation.objectives.task import TilePair, TranslationTask


@dataclass(frozen=True)
class ContrastConfig(TranslationObjectiveConfig):
    """Weights of the contrastive terms and of the Gaussian pyramid's L1, and what is contrasted."""

    FORMER_NAMES: ClassVar[Mapping[str, str]] = {
        "source": "source_weight",
        "target": "target_weight",
        "gaussian": "gaussian_weight",
        "levels": "level_weights",
        "places": "locations",
        "width": "embedding_width",
    }

    weighs_pairs: ClassVar[bool] = True

    kind: Literal["contrast"] = "contrast"
    """The kind of objective, in files."""
    adversary: Adversary = "least-squares"
    """What discriminator and generator minimise."""
    source_weight: Weight = 10.0
    """Weight of PatchNCE between a fake tile and its source."""
    target_weight: Weight = 10.0
    """Weight of adaptive PatchNCE between a fake tile and the real target."""
    gaussian_weight: Weight = 10.0
    """Weight of the L1 on a Gaussian pyramid."""
    level_weights: Annotated[tuple[float, ...], Within(0, 1e6)] = (
        1 / 64,
        1 / 32,
        1 / 16,
        1 / 8,
        1 / 4,
        1.0,
    )
    """Weights of the pyramid's levels: full resolution, then each halving."""
    locations: Annotated[int, Within(2, 65536)] = 256
    """Locations of a feature layer that are compared with one another."""
    embedding_width: Annotated[int, Within(1, 8192)] = 256
    """Length of the vectors by which locations are compared."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def check_networks(self, config: TranslationConfig) -> None:
        """Raise `InputError` for a generator without the features that are compared."""
        if not isinstance(config.generator, ResNetConfig):
            raise InputError(
                "PatchNCE compares a residual generator's features",
                expected="resnet",
                got=config.generator,
            )
        super().check_networks(config)


class ContrastTask(TranslationTask):
    """A discriminator of targets alone.

    It is trained first, then generator and projection together. The adaptive weights reach their
    final form where the optimiser's schedule ends.
    """

    def __init__(self, config: TranslationConfig, objective: ContrastConfig) -> None:
        super().__init__(config)
        self.objective = objective
        assert isinstance(self.generator, ResNetGenerator)  # the configuration checks it
        self.encoder = self.generator
        self.projection = PatchProjection(self.encoder.feature_channels, objective.embedding_width)
        self.counter = StepCounter(config.optimiser.steady_steps + config.optimiser.decay_steps)
        self.networks = {**self.networks, "projection": self.projection, "clock": self.counter}
        self.optimisers = {
            **self.optimisers,
            "generator": self._adam(self.generator, self.projection),
        }

    def updates(self, batch: TilePair) -> Iterator[Update]:
        """Yield the discriminator's loss, then the generator's."""
        source, target, _, weight = batch
        fake = self.generator(source)
        real_scores = self.target_discriminator(target)
        fake_scores = self.target_discriminator(fake.detach())
        yield Update(
            "discriminator", discriminator_loss(real_scores, fake_scores, self.objective.adversary)
        )
        terms = self._terms(source, target, fake, weight)
        yield Update("generator", torch.stack(list(terms.values())).sum(), terms)

    def _terms(
        self, source: Tensor, target: Tensor, fake: Tensor, weight: Tensor | float
    ) -> dict[str, Tensor]:
        """Return the weighted terms of the generator's loss.

        `weight`, (N,), is how much a pair counts in the Gaussian pyramid's L1. The contrast with
        the target weighs each location by itself.
        """
        config = self.objective
        features = self.encoder.features(fake)
        locations = draw_locations(features, config.locations)
        query = self.projection(features, locations)
        return {
            "adversarial": generator_loss(self.target_discriminator(fake), config.adversary),
            "source": config.source_weight * patch_nce(query, self._embed(source, locations)),
            "target": config.target_weight
            * adaptive_patch_nce(query, self._embed(target, locations), self.counter()),
            "gaussian": config.gaussian_weight
            * gaussian_l1(fake, target, config.level_weights, weight),
        }

    @torch.no_grad()
    def _embed(self, pictures: Tensor, locations: Sequence[Tensor]) -> list[Tensor]:
        """Return the vectors of a real picture, through which no gradient flows."""
        vectors: list[Tensor] = self.projection(self.encoder.features(pictures), locations)
        return vectors


def supervised_patchnce(preset: TrainingPreset) -> TranslationConfig:
    """Return supervised PatchNCE with a residual generator."""
    return TranslationConfig(
        ResNetConfig.preset(preset), single_patchgan(preset, 3, "instance"), ContrastConfig()
    )


OBJECTIVE = PublishedObjective(
    ContrastConfig,
    ContrastTask,
    supervised_patchnce,
    PaperTraining(tile_px=512, batch=1, steps=389_600),
)
