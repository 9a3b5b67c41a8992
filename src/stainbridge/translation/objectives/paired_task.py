"""pix2pix, pyramid pix2pix and pix2pixHD, from tiles that show the same tissue."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from stainbridge.learn.task import Update
from stainbridge.translation.objectives.adversarial import discriminator_loss, generator_loss
from stainbridge.translation.objectives.config import PairedConfig, TranslationConfig
from stainbridge.translation.objectives.pyramid import multi_scale
from stainbridge.translation.objectives.task import Tiles, TranslationTask
from stainbridge.translation.objectives.terms import feature_matching, pixelwise


class PairedTask(TranslationTask):
    """The discriminator judges source and target together; it is trained first, then the generator."""

    def __init__(self, config: TranslationConfig, objective: PairedConfig) -> None:
        super().__init__(config)
        self.objective = objective

    def updates(self, batch: Tiles) -> Iterator[Update]:
        """The discriminator's loss, then the generator's."""
        source, target, _ = batch
        made = self.to_target(source)
        real_pair, made_pair = torch.cat([source, target], 1), torch.cat([source, made], 1)
        scores = self.judge_target(real_pair), self.judge_target(made_pair.detach())
        yield Update("discriminator", discriminator_loss(*scores, self.objective.adversary))
        terms = self._terms(target, made, real_pair, made_pair)
        yield Update("generator", torch.stack(list(terms.values())).sum(), terms)

    def _terms(
        self, target: Tensor, made: Tensor, real_pair: Tensor, made_pair: Tensor
    ) -> dict[str, Tensor]:
        """The weighted terms of the generator's loss."""
        weight = self.objective
        seen = self.judge_target.features(made_pair)
        terms = {"adversarial": generator_loss([layers[-1] for layers in seen], weight.adversary)}
        if weight.pixel:
            terms["pixel"] = weight.pixel * pixelwise(made, target)
        if weight.scales:
            terms["scales"] = multi_scale(made, target, weight.scales)
        if weight.matching:
            with torch.no_grad():
                wanted = self.judge_target.features(real_pair)
            terms["matching"] = weight.matching * feature_matching(seen, wanted)
        return terms
