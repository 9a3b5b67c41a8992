"""Supervised PatchNCE with adaptive weights, from tiles that show the same tissue, aligned more or
less.

Li et al. 2023, arXiv:2303.06193. Its PatchNCE of translated targets (CUT's identity term) is left
out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from stainbridge.learn.task import Update
from stainbridge.nn.patch_projection import PatchProjection
from stainbridge.nn.resnet_generator import ResNetGenerator
from stainbridge.translation.objectives.adversarial import discriminator_loss, generator_loss
from stainbridge.translation.objectives.config import ContrastConfig, TranslationConfig
from stainbridge.translation.objectives.patch_nce import adaptive_patch_nce, drawn_places, patch_nce
from stainbridge.translation.objectives.pyramid import gaussian_l1
from stainbridge.translation.objectives.task import Tiles, TranslationTask


class Clock(nn.Module):
    """Counts batches up to `horizon`; a module, so that the count is stored with a run's networks."""

    ticks: Tensor

    def __init__(self, horizon: int) -> None:
        super().__init__()
        self.horizon = max(1, horizon)
        self.register_buffer("ticks", torch.zeros((), dtype=torch.int64))

    def forward(self) -> float:
        """The share of the horizon that is behind, 0 … 1; one batch more from now on."""
        done = min(1.0, int(self.ticks) / self.horizon)
        self.ticks += 1
        return done


class ContrastTask(TranslationTask):
    """The discriminator judges targets alone; it is trained first, then generator and projection
    together.

    The horizon of the adaptive weights is the optimiser's.
    """

    def __init__(self, config: TranslationConfig, objective: ContrastConfig) -> None:
        super().__init__(config)
        self.objective = objective
        assert isinstance(self.to_target, ResNetGenerator)  # the configuration checks it
        self.encoder = self.to_target
        self.projection = PatchProjection(self.encoder.feature_channels, objective.width)
        self.clock = Clock(config.optimiser.steady_steps + config.optimiser.decay_steps)
        self.networks = {**self.networks, "projection": self.projection, "clock": self.clock}
        self.optimisers = {
            **self.optimisers,
            "generator": self._adam(self.to_target, self.projection),
        }

    def updates(self, batch: Tiles) -> Iterator[Update]:
        """The discriminator's loss, then the generator's."""
        source, target, _ = batch
        made = self.to_target(source)
        scores = self.judge_target(target), self.judge_target(made.detach())
        yield Update("discriminator", discriminator_loss(*scores, self.objective.adversary))
        terms = self._terms(source, target, made)
        yield Update("generator", torch.stack(list(terms.values())).sum(), terms)

    def _terms(self, source: Tensor, target: Tensor, made: Tensor) -> dict[str, Tensor]:
        """The weighted terms of the generator's loss."""
        weight = self.objective
        features = self.encoder.features(made)
        places = drawn_places(features, weight.places)
        query = self.projection(features, places)
        return {
            "adversarial": generator_loss(self.judge_target(made), weight.adversary),
            "source": weight.source * patch_nce(query, self._reference(source, places)),
            "target": weight.target
            * adaptive_patch_nce(query, self._reference(target, places), self.clock()),
            "gaussian": weight.gaussian * gaussian_l1(made, target, weight.levels),
        }

    @torch.no_grad()
    def _reference(self, pictures: Tensor, places: Sequence[Tensor]) -> list[Tensor]:
        vectors: list[Tensor] = self.projection(self.encoder.features(pictures), places)
        return vectors
