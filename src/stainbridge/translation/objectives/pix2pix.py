"""pix2pix, and the terms that pyramid pix2pix and pix2pixHD add, from tiles of the same tissue.

Isola et al. 2017, arXiv:1611.07004.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from stainbridge.learn.task import Update
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
from stainbridge.translation.objectives.preset_networks import dropout_resnet, single_patchgan
from stainbridge.translation.objectives.published import BCI_TRAINING, PublishedObjective
from stainbridge.translation.objectives.pyramid import multi_scale_l1
from stainbridge.translation.objectives.task import TilePair, TranslationTask
from stainbridge.translation.objectives.terms import feature_matching, weighted_pixelwise


@dataclass(frozen=True)
class PairedConfig(TranslationObjectiveConfig):
    """Weights of the terms between a fake tile and the real one, beside the adversarial one."""

    FORMER_NAMES: ClassVar[Mapping[str, str]] = {
        "pixel": "pixel_weight",
        "scales": "scale_weights",
        "matching": "feature_matching_weight",
    }
    conditional: ClassVar[bool] = True
    weighs_pairs: ClassVar[bool] = True

    kind: Literal["paired"] = "paired"
    """The kind of objective, in files."""
    adversary: Adversary = "vanilla"
    """What discriminator and generator minimise."""
    pixel_weight: Weight = 100.0
    """Weight of the mean absolute difference of pixels."""
    scale_weights: Annotated[tuple[float, ...], Within(0, 1e6)] = ()
    """Weights λ of S1, S2, … of pyramid pix2pix; none for plain pix2pix."""
    feature_matching_weight: Weight = 0.0
    """Weight of the difference of the discriminator's features (pix2pixHD)."""

    def __post_init__(self) -> None:
        check_ranges(self)


class PairedTask(TranslationTask):
    """A discriminator that is shown source and target together.

    It is trained first, then the generator.
    """

    def __init__(self, config: TranslationConfig, objective: PairedConfig) -> None:
        super().__init__(config)
        self.objective = objective

    def updates(self, batch: TilePair) -> Iterator[Update]:
        """Yield the discriminator's loss, then the generator's."""
        source, target, _, weight = batch
        fake = self.generator(source)
        real_pair = torch.cat([source, target], 1)
        fake_pair = torch.cat([source, fake], 1)
        real_scores = self.target_discriminator(real_pair)
        fake_scores = self.target_discriminator(fake_pair.detach())
        yield Update(
            "discriminator", discriminator_loss(real_scores, fake_scores, self.objective.adversary)
        )
        terms = self._terms(target, fake, real_pair, fake_pair, weight)
        yield Update("generator", torch.stack(list(terms.values())).sum(), terms)

    def _terms(
        self,
        target: Tensor,
        fake: Tensor,
        real_pair: Tensor,
        fake_pair: Tensor,
        weight: Tensor | float,
    ) -> dict[str, Tensor]:
        """Return the weighted terms of the generator's loss.

        `weight`, (N,), is how much a pair counts in all of them but the adversarial one.
        """
        config = self.objective
        fake_features = self.target_discriminator.features(fake_pair)
        fake_scores = [layers[-1] for layers in fake_features]
        terms = {"adversarial": generator_loss(fake_scores, config.adversary)}
        if config.pixel_weight:
            terms["pixel"] = config.pixel_weight * weighted_pixelwise(fake, target, weight)
        if config.scale_weights:
            terms["scales"] = multi_scale_l1(fake, target, config.scale_weights, weight)
        if config.feature_matching_weight:
            with torch.no_grad():
                real_features = self.target_discriminator.features(real_pair)
            terms["matching"] = config.feature_matching_weight * feature_matching(
                fake_features, real_features, weight
            )
        return terms


def pix2pix(preset: TrainingPreset) -> TranslationConfig:
    """Return pix2pix with a residual generator."""
    return TranslationConfig(
        dropout_resnet(preset), single_patchgan(preset, 6, "batch"), PairedConfig()
    )


OBJECTIVE = PublishedObjective(PairedConfig, PairedTask, pix2pix, BCI_TRAINING)
