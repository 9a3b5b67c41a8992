"""Sharpening as a task of the training loop: ESRGAN (Wang et al. 2018, arXiv:1809.00219)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from stainbridge.learn.task import Update
from stainbridge.nn.perceptual import PerceptualNet
from stainbridge.nn.rrdb_generator import RRDBGenerator, enlarge
from stainbridge.nn.vgg_discriminator import VGGDiscriminator
from stainbridge.settings import to_dict
from stainbridge.translation.objectives.comparison import SHOWN, picture_distances, picture_rows
from stainbridge.translation.objectives.step_counter import StepCounter
from stainbridge.translation.objectives.terms import perceptual, pixelwise
from stainbridge.translation.sharpening.config import SharpenConfig
from stainbridge.translation.sharpening.relativistic import (
    relativistic_discriminator_loss,
    relativistic_generator_loss,
)

#: Names of modules in files of weights. Files of version 0.1.0 have them, so they stay.
DISCRIMINATOR = "judge"
COUNTER = "clock"


class SharpenPair(NamedTuple):
    """Sharp tiles and the same down-sampled, of one sample or of a batch."""

    coarse: Tensor
    """Down-sampled tiles, (N, C, H / factor, W / factor) in −1 … 1."""
    fine: Tensor
    """Sharp tiles, (N, C, H, W) in −1 … 1."""


class SharpenTask:
    """Trains a generator from coarse to fine against a relativistic average discriminator.

    A `learn.task.Task` of `SharpenPair`. The best weights are those of the least `content`: the
    perceptual and pixel terms of held-out tiles. `psnr_bicubic_db` is what bicubic interpolation
    alone scores. The perceptual network is no part of the run's weights; its `name` says which it
    is.
    """

    name = "sharpen"
    selection_measure = "content"

    def __init__(self, config: SharpenConfig) -> None:
        self.config = config
        self.generator = RRDBGenerator(config.generator)
        self.discriminator = VGGDiscriminator(config.discriminator)
        self.counter = StepCounter(config.warm_up_steps)
        self.perceptual = PerceptualNet(config.perceptual)
        self.networks: Mapping[str, nn.Module] = {
            "generator": self.generator,
            DISCRIMINATOR: self.discriminator,
            COUNTER: self.counter,
        }
        self.optimisers: Mapping[str, Optimizer] = {
            name: torch.optim.Adam(
                self.networks[network].parameters(), config.optimiser.rate, config.optimiser.betas
            )
            for name, network in (("generator", "generator"), ("discriminator", DISCRIMINATOR))
        }

    def settings(self) -> Mapping[str, Any]:
        """Return what the networks are built from: the whole configuration but the optimiser's."""
        return {key: value for key, value in to_dict(self.config).items() if key != "optimiser"}

    def rate(self, step: int) -> float:
        """Return the learning rate's factor at `step`."""
        return self.config.optimiser.rate_factor(step)

    def inputs(self, batch: SharpenPair) -> Mapping[str, Tensor]:
        """Return both tiles by name."""
        return {"coarse": batch.coarse, "fine": batch.fine}

    def updates(self, batch: SharpenPair) -> Iterator[Update]:
        """Yield the generator's loss, then the discriminator's.

        During the warm-up the generator's alone, which then is L1.
        """
        fine = batch.fine
        fake = self.generator(batch.coarse)
        if self.counter() < 1 and self.config.warm_up_steps:
            yield Update("generator", pixelwise(fake, fine))
            return
        terms = self._terms(fake, fine)
        yield Update("generator", torch.stack(list(terms.values())).sum(), terms)
        yield Update(
            "discriminator",
            relativistic_discriminator_loss(
                self.discriminator(fine), self.discriminator(fake.detach())
            ),
        )

    def measure(self, batch: SharpenPair) -> Mapping[str, float]:
        """Return `content`, and how far sharpened tiles are from the sharp ones."""
        fake = self.generator(batch.coarse)
        bicubic = picture_distances(enlarge(batch.coarse, self.config.generator.factor), batch.fine)
        content = torch.stack(list(self._content(fake, batch.fine).values())).sum()
        return {
            "content": float(content),
            **picture_distances(fake, batch.fine),
            "psnr_bicubic_db": bicubic["psnr_db"],
        }

    def picture(self, batch: SharpenPair) -> npt.NDArray[np.uint8]:
        """Draw a row a sample, (H, W, 3): coarse, bicubic, sharpened, sharp."""
        coarse = batch.coarse[:SHOWN]
        fine = batch.fine[:SHOWN]
        factor = self.config.generator.factor
        pixels = F.interpolate(coarse, scale_factor=float(factor), mode="nearest")
        return picture_rows(pixels, enlarge(coarse, factor), self.generator(coarse), fine)

    def _terms(self, fake: Tensor, fine: Tensor) -> dict[str, Tensor]:
        """Return the weighted terms of the generator's loss."""
        with torch.no_grad():
            real_scores = self.discriminator(fine)
        adversarial = relativistic_generator_loss(real_scores, self.discriminator(fake))
        weighted = self.config.adversarial_weight * adversarial
        return {"adversarial": weighted, **self._content(fake, fine)}

    def _content(self, fake: Tensor, fine: Tensor) -> dict[str, Tensor]:
        """Return the weighted terms that compare a tile with its own sharp one."""
        terms = {"pixel": self.config.pixel_weight * pixelwise(fake, fine)}
        if self.config.perceptual_weight:
            network = self.perceptual.to(fake.device)
            terms["perceptual"] = self.config.perceptual_weight * perceptual(network, fake, fine)
        return terms
