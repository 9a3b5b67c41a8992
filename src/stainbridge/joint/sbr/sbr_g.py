"""SbR-G: SbR and a least-squares adversarial loss with a PatchGAN."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Self

from torch import Tensor

from stainbridge.joint.sbr.sbr import PAPER, SMALL, SbrObjective, SbrTask
from stainbridge.joint.sbr.stream import SlicePair
from stainbridge.joint.sbr.synthesis import Synthesis, sum_terms
from stainbridge.joint.sbr.task import StackFacts
from stainbridge.joint.sbr.variant import Variant
from stainbridge.learn.task import Update
from stainbridge.nn.patchgan import PatchGAN, PatchGANConfig
from stainbridge.ranges import Weight
from stainbridge.translation.objectives.adversarial import discriminator_loss, generator_loss

if TYPE_CHECKING:
    from stainbridge.joint.sbr.config import SbrTraining


@dataclass(frozen=True)
class SbrGObjective(SbrObjective):
    """Weights of the terms. Raises `InputError` for negative weights."""

    kind: Literal["sbr-g"] = "sbr-g"  # type: ignore[assignment]  # another kind than the base's
    """The kind of objective, in files."""
    adversarial: Weight = 1.0
    """Weight of the generator's adversarial loss; the paper does not say it, 1 is CycleGAN's."""
    discriminator: PatchGANConfig = field(default_factory=lambda: PatchGANConfig(channels=1))
    """The network that tells target slices from translated ones."""

    def for_small(self) -> Self:
        """Return the objective with a discriminator of half the width, and with LNCC."""
        discriminator = self.discriminator.at_half_width()
        return replace(super().for_small(), discriminator=discriminator)


class SbrGTask(SbrTask):
    """Trains G and its perceptrons against a discriminator."""

    def __init__(self, training: SbrTraining, facts: StackFacts) -> None:
        super().__init__(training, facts)
        assert isinstance(training.objective, SbrGObjective)
        self.adversary = training.objective
        self.discriminator = PatchGAN(self.adversary.discriminator)
        self.networks = {**self.networks, "discriminator": self.discriminator}
        self.optimisers = {
            **self.optimisers,
            "discriminator": self.make_adam(self.discriminator),
        }

    def updates(self, batch: SlicePair) -> Iterator[Update]:
        """Yield the generator's loss, then the discriminator's."""
        synthesis = self.synthesise(batch)
        terms = self.generator_terms(batch, synthesis)
        yield Update("generator", sum_terms(terms), terms)
        real = self.discriminator(batch.fixed)
        fake = self.discriminator(synthesis.synthetic.detach())
        yield Update("discriminator", discriminator_loss([real], [fake], "least-squares"))

    def generator_terms(self, batch: SlicePair, synthesis: Synthesis) -> dict[str, Tensor]:
        """Return the weighted terms of equation 7 and the adversarial one."""
        scores = self.discriminator(synthesis.synthetic)
        adversarial = self.adversary.adversarial * generator_loss([scores], "least-squares")
        return {**super().generator_terms(batch, synthesis), "adversarial": adversarial}


VARIANT = Variant(
    SbrGObjective,
    SbrGTask,
    small=SMALL,
    paper=PAPER,
    make_objective=SbrGObjective,
    needs_registration=True,
)
