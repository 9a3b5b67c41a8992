"""CycleGAN, plain and with a perceptual loss, from tiles that need not show the same tissue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stainbridge.learn.task import Update
from stainbridge.nn.generators import generator
from stainbridge.nn.multiscale_discriminator import MultiscaleDiscriminator
from stainbridge.nn.perceptual import PerceptualNet
from stainbridge.translation.objectives.adversarial import discriminator_loss, generator_loss
from stainbridge.translation.objectives.config import CycleConfig, TranslationConfig
from stainbridge.translation.objectives.image_buffer import ImageBuffer
from stainbridge.translation.objectives.task import (
    SHOWN,
    Tiles,
    TranslationTask,
    distances,
    rows_of,
)
from stainbridge.translation.objectives.terms import cycle, identity, perceptual


class CycleTask(TranslationTask):
    """Generators and discriminators both ways; both generators are trained together, then both
    discriminators.

    The best weights are those of the least `cycle_l1`, of tiles translated there and back, the mean
    of both ways: there need not be a pair to compare with. Where held-out tiles are paired, their
    distances are measured too. The perceptual network is no part of the run's weights; its `name`
    says which it is.
    """

    def __init__(self, config: TranslationConfig, objective: CycleConfig) -> None:
        super().__init__(config)
        self.objective = objective
        self.to_source = generator(config.generator)
        self.judge_source = MultiscaleDiscriminator(config.discriminator)
        shape = (config.channels[1], config.tile_px, config.tile_px)
        self.old_targets, self.old_sources = (
            ImageBuffer(objective.buffer, shape) for _ in range(2)
        )
        self.perceptual = PerceptualNet(objective.perceptual) if objective.feature else None
        self.networks = {
            **self.networks,
            "to_source": self.to_source,
            "judge_source": self.judge_source,
            "old_targets": self.old_targets,
            "old_sources": self.old_sources,
        }
        self.optimisers = {
            "generator": self._adam(self.to_target, self.to_source),
            "discriminator": self._adam(self.judge_target, self.judge_source),
        }

    def updates(self, batch: Tiles) -> Iterator[Update]:
        """The generators' loss, then the discriminators' on made tiles some of which are older."""
        source, target, _ = batch
        made_target, made_source = self.to_target(source), self.to_source(target)
        terms = self._terms(source, target, made_target, made_source)
        yield Update("generator", torch.stack(list(terms.values())).sum(), terms)
        loss = self._judged(self.judge_target, target, self.old_targets(made_target))
        loss = loss + self._judged(self.judge_source, source, self.old_sources(made_source))
        yield Update("discriminator", loss)

    best_by = "cycle_l1"

    def measure(self, batch: Tiles) -> Mapping[str, float]:
        """Distances of tiles that went there and back, as `cycle_…`, and of made ones to real ones
        of the pair.
        """
        made_target, made_source = self.to_target(batch.source), self.to_source(batch.target)
        there = distances(self.to_source(made_target), batch.source)
        back = distances(self.to_target(made_source), batch.target)
        cycled = {f"cycle_{name}": (there[name] + back[name]) / 2 for name in there}
        paired = bool(torch.as_tensor(batch.paired).all())
        return {**cycled, **(distances(made_target, batch.target) if paired else {})}

    def picture(self, batch: Tiles) -> npt.NDArray[np.uint8]:
        """A row a sample: source, made target, source again; target, made source, target again."""
        source, target = batch.source[:SHOWN], batch.target[:SHOWN]
        made_target, made_source = self.to_target(source), self.to_source(target)
        there = (source, made_target, self.to_source(made_target))
        return rows_of(*there, target, made_source, self.to_target(made_source))

    def _terms(
        self, source: Tensor, target: Tensor, made_target: Tensor, made_source: Tensor
    ) -> dict[str, Tensor]:
        """The weighted terms of both ways."""
        weight = self.objective
        deceived = generator_loss(self.judge_target(made_target), weight.adversary)
        deceived = deceived + generator_loss(self.judge_source(made_source), weight.adversary)
        back = cycle(self.to_source, made_target, source) + cycle(
            self.to_target, made_source, target
        )
        terms = {"adversarial": deceived, "cycle": weight.cycle * back}
        if weight.identity:
            same = identity(self.to_target, target) + identity(self.to_source, source)
            terms["identity"] = weight.identity * same
        if self.perceptual is not None:
            network = self.perceptual.to(source.device)
            unlike = perceptual(network, made_target, source) + perceptual(
                network, made_source, target
            )
            terms["perceptual"] = weight.feature * unlike
        return terms

    def _judged(self, judge: MultiscaleDiscriminator, real: Tensor, made: Tensor) -> Tensor:
        return discriminator_loss(judge(real), judge(made), self.objective.adversary)
