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
from stainbridge.translation.objectives.step_counter import StepCounter
from stainbridge.translation.objectives.comparison import SHOWN, picture_distances, picture_rows
from stainbridge.translation.objectives.terms import perceptual, pixelwise
from stainbridge.translation.sharpening.config import SharpenConfig
from stainbridge.translation.sharpening.relativistic import (
    relativistic_discriminator_loss,
    relativistic_generator_loss,
)


class Sharp(NamedTuple):
    """Sharp tiles (N, C, H, W) in −1 … 1 and what is left of them, (N, C, H / factor, W / factor)."""

    coarse: Tensor
    fine: Tensor


class SharpenTask:
    """Trains a generator from coarse to fine against a relativistic average discriminator. A
    `learn.task.Task`.

    Best is what has the least `content`: the perceptual and pixel terms of held-out tiles.
    `psnr_bicubic_db` is what enlarging alone scores. The perceptual network is no part of the run's
    weights; its `name` says which it is.
    """

    name = "sharpen"
    selection_measure = "content"

    def __init__(self, config: SharpenConfig) -> None:
        self.config = config
        self.generator = RRDBGenerator(config.generator)
        self.judge = VGGDiscriminator(config.discriminator)
        self.counter = StepCounter(config.warm_steps)
        self.perceptual = PerceptualNet(config.perceptual)
        self.networks: Mapping[str, nn.Module] = {
            "generator": self.generator, "judge": self.judge, "clock": self.counter,
        }  # fmt: skip
        self.optimisers: Mapping[str, Optimizer] = {
            name: torch.optim.Adam(
                self.networks[network].parameters(), config.optimiser.rate, config.optimiser.betas
            )
            for name, network in (("generator", "generator"), ("discriminator", "judge"))
        }

    def settings(self) -> Mapping[str, Any]:
        """What the networks are built from: the whole configuration but the optimiser's."""
        return {key: value for key, value in to_dict(self.config).items() if key != "optimiser"}

    def rate(self, step: int) -> float:
        """The learning rate's factor."""
        return self.config.optimiser.rate_factor(step)

    def inputs(self, batch: Sharp) -> Mapping[str, Tensor]:
        """Both tiles."""
        return {"coarse": batch.coarse, "fine": batch.fine}

    def updates(self, batch: Sharp) -> Iterator[Update]:
        """The generator's L1 alone while warming up; then its three terms, and the discriminator's
        loss.
        """
        made, fine = self.generator(batch.coarse), batch.fine
        if self.counter() < 1 and self.config.warm_steps:
            yield Update("generator", pixelwise(made, fine))
            return
        terms = self._terms(made, fine)
        yield Update("generator", torch.stack(list(terms.values())).sum(), terms)
        yield Update(
            "discriminator",
            relativistic_discriminator_loss(self.judge(fine), self.judge(made.detach())),
        )

    def measure(self, batch: Sharp) -> Mapping[str, float]:
        """`content`, and how far made tiles are from the sharp ones."""
        made = self.generator(batch.coarse)
        without = picture_distances(enlarge(batch.coarse, self.config.generator.factor), batch.fine)
        content = torch.stack(list(self._content(made, batch.fine).values())).sum()
        return {
            "content": float(content), **picture_distances(made, batch.fine), "psnr_bicubic_db": without["psnr_db"]
        }  # fmt: skip

    def picture(self, batch: Sharp) -> npt.NDArray[np.uint8]:
        """A row a sample: coarse, enlarged by bicubic interpolation, made, sharp."""
        coarse, fine, factor = (
            batch.coarse[:SHOWN],
            batch.fine[:SHOWN],
            self.config.generator.factor,
        )
        pixels = F.interpolate(coarse, scale_factor=float(factor), mode="nearest")
        return picture_rows(pixels, enlarge(coarse, factor), self.generator(coarse), fine)

    def _terms(self, made: Tensor, fine: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            real = self.judge(fine)
        deceived = relativistic_generator_loss(real, self.judge(made))
        return {"adversarial": self.config.adversarial * deceived, **self._content(made, fine)}

    def _content(self, made: Tensor, fine: Tensor) -> dict[str, Tensor]:
        terms = {"pixel": self.config.pixel * pixelwise(made, fine)}
        if self.config.feature:
            network = self.perceptual.to(made.device)
            terms["perceptual"] = self.config.feature * perceptual(network, made, fine)
        return terms
