"""cGAN: CycleGAN with the registration loss of Synth-by-Reg.

Zhu et al. 2017, arXiv:1703.10593; Casamitjana et al. 2021, section 3.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Self

from torch import Tensor

from stainbridge.joint.sbr.network import translate
from stainbridge.joint.sbr.sbr import PAPER, SMALL
from stainbridge.joint.sbr.stream import SlicePair
from stainbridge.joint.sbr.synthesis import (
    Synthesis,
    SynthesisObjective,
    SynthesisTask,
    sum_terms,
)
from stainbridge.joint.sbr.task import StackFacts
from stainbridge.joint.sbr.variant import Variant
from stainbridge.learn.task import Update
from stainbridge.nn.patchgan import PatchGAN, PatchGANConfig
from stainbridge.nn.resnet_generator import ResNetGenerator
from stainbridge.ranges import Weight
from stainbridge.translation.objectives.adversarial import discriminator_loss, generator_loss
from stainbridge.translation.objectives.terms import pixelwise

if TYPE_CHECKING:
    from stainbridge.joint.sbr.config import SbrTraining


@dataclass(frozen=True)
class CycleGANObjective(SynthesisObjective):
    """Weights of the terms. Raises `InputError` for negative weights."""

    kind: Literal["cgan"] = "cgan"
    """The kind of objective, in files."""
    registration: Weight = 1.0
    """Weight of the registration loss; the paper does not say it."""
    cycle: Weight = 10.0
    """Weight of the difference of a slice and what returns of it: CycleGAN's."""
    adversarial: Weight = 1.0
    """Weight of the generators' adversarial losses: CycleGAN's."""
    discriminator: PatchGANConfig = field(default_factory=lambda: PatchGANConfig(channels=1))
    """The networks that tell slices from translated ones."""

    def for_small(self) -> Self:
        """Return the objective with discriminators of half the width, and with LNCC."""
        discriminator = self.discriminator.at_half_width()
        return replace(super().for_small(), discriminator=discriminator)


class CycleGANTask(SynthesisTask):
    """Trains generators of both directions against discriminators, and G through R."""

    def __init__(self, training: SbrTraining, facts: StackFacts) -> None:
        super().__init__(training, facts)
        assert isinstance(training.objective, CycleGANObjective)
        self.objective = training.objective
        self.reverse_generator = ResNetGenerator(training.generator)
        self.fixed_discriminator = PatchGAN(self.objective.discriminator)
        self.moving_discriminator = PatchGAN(self.objective.discriminator)
        self.networks = {
            **self.networks,
            "reverse_generator": self.reverse_generator,
            "fixed_discriminator": self.fixed_discriminator,
            "moving_discriminator": self.moving_discriminator,
        }
        self.optimisers = {
            "generator": self.make_adam(self.generator, self.reverse_generator),
            "discriminator": self.make_adam(self.fixed_discriminator, self.moving_discriminator),
        }

    def updates(self, batch: SlicePair) -> Iterator[Update]:
        """Yield the generators' loss, then the discriminators'."""
        synthesis = self.synthesise(batch)
        fake_moving = translate(self.reverse_generator, batch.fixed)
        terms = self._generator_terms(batch, synthesis, fake_moving)
        yield Update("generator", sum_terms(terms), terms)
        fake_fixed = synthesis.synthetic.detach()
        loss = _judge(self.fixed_discriminator, batch.fixed, fake_fixed)
        yield Update(
            "discriminator",
            loss + _judge(self.moving_discriminator, batch.moving, fake_moving.detach()),
        )

    def _generator_terms(
        self, batch: SlicePair, synthesis: Synthesis, fake_moving: Tensor
    ) -> dict[str, Tensor]:
        objective = self.objective
        registration = self.registration_terms(batch, synthesis)
        adversarial = generator_loss(
            [self.fixed_discriminator(synthesis.synthetic)], "least-squares"
        ) + generator_loss([self.moving_discriminator(fake_moving)], "least-squares")
        moving_again = translate(self.reverse_generator, synthesis.synthetic)
        fixed_again = translate(self.generator, fake_moving)
        cycle = pixelwise(moving_again, batch.moving) + pixelwise(fixed_again, batch.fixed)
        return {
            **{name: objective.registration * term for name, term in registration.items()},
            "adversarial": objective.adversarial * adversarial,
            "cycle": objective.cycle * cycle,
        }


def _judge(discriminator: PatchGAN, real: Tensor, fake: Tensor) -> Tensor:
    return discriminator_loss([discriminator(real)], [discriminator(fake)], "least-squares")


VARIANT = Variant(
    CycleGANObjective,
    CycleGANTask,
    small=SMALL,
    paper=PAPER,
    make_objective=CycleGANObjective,
    needs_registration=True,
)
