"""RegGAN: a generator and a registration network, trained together on misaligned pairs.

Kong et al. 2021, "Breaking the dilemma of medical image-to-image translation", arXiv:2110.06465, in
its mode with a cycle. A misaligned target is taken for a well aligned one with noise, and the
registration network learns the noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from stainbridge.geometry.flow import warp
from stainbridge.nn.deformable import DeformableNetConfig, build_deformable
from stainbridge.nn.resnet_generator import ResNetConfig
from stainbridge.nn.unet_svf import UNetSVFConfig
from stainbridge.ranges import Weight, Within, check_ranges
from stainbridge.similarity.regularity import diffusion
from stainbridge.translation.objectives.adversarial import Adversary
from stainbridge.translation.objectives.comparison import SHOWN, picture_distances, picture_rows
from stainbridge.translation.objectives.config import (
    TrainingPreset,
    TranslationConfig,
    TranslationObjectiveConfig,
)
from stainbridge.translation.objectives.cyclegan import CycleConfig, CycleTask
from stainbridge.translation.objectives.optimiser import AdamConfig
from stainbridge.translation.objectives.preset_networks import single_patchgan
from stainbridge.translation.objectives.published import PaperTraining, PublishedObjective
from stainbridge.translation.objectives.task import TilePair
from stainbridge.translation.objectives.terms import pixelwise

#: Name of the registration network in files of weights.
REGISTRATION = "registration"


@dataclass(frozen=True)
class RegGanConfig(TranslationObjectiveConfig):
    """Weights of RegGAN's terms, and the network that registers.

    The defaults are the paper's weights. Raises `InputError` for negative ones.
    """

    selection_measure: ClassVar[str] = "corrected_l1"

    kind: Literal["reg-gan"] = "reg-gan"
    """The kind of objective, in files."""
    adversary: Adversary = "least-squares"
    """What discriminators and generators minimise."""
    adversarial_weight: Weight = 1.0
    """Weight of the adversarial terms of both directions."""
    cycle_weight: Weight = 10.0
    """Weight of the difference of a tile and what returns of it, translated there and back."""
    correction_weight: Weight = 20.0
    """Weight of ‖target − warp(fake, R(fake, target))‖₁: the fake, registered, is the target."""
    smoothness_weight: Weight = 10.0
    """Weight of the mean square of the gradient of R's field, in pixels a pixel."""
    buffer_size: Annotated[int, Within(0, 100_000)] = 50
    """Translated tiles that are kept to be shown to the discriminators again."""
    registration: DeformableNetConfig = field(default_factory=UNetSVFConfig)
    """The registration network R. The paper's is a U-Net; the field of this one cannot fold."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def check_networks(self, config: TranslationConfig) -> None:
        """Raise `InputError` where source and target differ in channels."""
        self.cycle.check_networks(config)

    @property
    def cycle(self) -> CycleConfig:
        """The terms that CycleGAN has too."""
        return CycleConfig(
            adversary=self.adversary,
            cycle_weight=self.cycle_weight,
            buffer_size=self.buffer_size,
        )


class RegGanTask(CycleTask):
    """CycleGAN, and a network R that registers the fake target with the real one.

    R is trained with the generators, by the correction and the smoothness of its field. It sees how
    dark pictures are, not their colours. Held-out pairs are as misaligned as the others, so the
    best weights are those of the least `corrected_l1`, the difference after R.
    """

    def __init__(self, config: TranslationConfig, objective: RegGanConfig) -> None:
        super().__init__(config, objective.cycle)
        self.weights = objective
        self.registration = build_deformable(objective.registration)
        self.networks = {**self.networks, REGISTRATION: self.registration}
        self.optimisers = {
            **self.optimisers,
            "generator": self._adam(self.generator, self.reverse_generator, self.registration),
        }

    def register(self, fake: Tensor, target: Tensor) -> Tensor:
        """Return R's field, (N, 2, H, W) in pixels: it takes pixels of `target` to `fake`."""
        displacement: Tensor = self.registration(_darkness(target), _darkness(fake)).final
        return displacement

    def measure(self, batch: TilePair) -> Mapping[str, float]:
        """Return CycleGAN's measures, and the distances after registration as `corrected_…`.

        `roughness` is the mean square of the gradient of R's field.
        """
        fake = self.generator(batch.source)
        displacement = self.register(fake, batch.target)
        corrected = picture_distances(warp(fake.float(), displacement), batch.target)
        return {
            **super().measure(batch),
            **{f"corrected_{name}": value for name, value in corrected.items()},
            "roughness": float(_roughness(displacement)),
        }

    def picture(self, batch: TilePair) -> npt.NDArray[np.uint8]:
        """Draw a row a sample, (H, W, 3): source, fake target, the same registered, target."""
        source = batch.source[:SHOWN]
        target = batch.target[:SHOWN]
        fake = self.generator(source)
        return picture_rows(source, fake, warp(fake.float(), self.register(fake, target)), target)

    def _terms(
        self, source: Tensor, target: Tensor, fake_target: Tensor, fake_source: Tensor
    ) -> dict[str, Tensor]:
        """Return CycleGAN's weighted terms, the correction and the smoothness."""
        terms = super()._terms(source, target, fake_target, fake_source)
        displacement = self.register(fake_target, target)
        registered = warp(fake_target.float(), displacement)
        weights = self.weights
        return {
            **terms,
            "adversarial": weights.adversarial_weight * terms["adversarial"],
            "correction": weights.correction_weight * pixelwise(registered, target),
            "smoothness": weights.smoothness_weight * _roughness(displacement),
        }


def _darkness(pictures: Tensor) -> Tensor:
    """Return how dark pictures (N, C, H, W) in −1 … 1 are, (N, 1, H, W) in 0 … 1; glass is 0."""
    return (1 - pictures.float().mean(1, keepdim=True)) / 2


def _roughness(displacement: Tensor) -> Tensor:
    """Return the mean over both components, as in the authors' code, a scalar."""
    return diffusion(displacement).mean() / 2


def reg_gan(preset: TrainingPreset) -> TranslationConfig:
    """Return RegGAN with CycleGAN's networks, at a rate that never falls."""
    return TranslationConfig(
        ResNetConfig.preset(preset),
        single_patchgan(preset, 3, "instance"),
        RegGanConfig(registration=UNetSVFConfig.preset(preset)),
        AdamConfig(rate=1e-4, steady_steps=REG_GAN_TRAINING.steps, decay_steps=0),
    )


#: 80 epochs of BraTS' 5,760 slices.
REG_GAN_TRAINING = PaperTraining(tile_px=256, batch=1, steps=460_800)
OBJECTIVE = PublishedObjective(RegGanConfig, RegGanTask, reg_gan, REG_GAN_TRAINING)
