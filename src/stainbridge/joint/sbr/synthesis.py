"""Training a generator through a frozen registration network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from torch import Tensor

from stainbridge.errors import InputError
from stainbridge.geometry.flow import warp
from stainbridge.joint.sbr.network import RIM_PX, dilate
from stainbridge.joint.sbr.objective import SbrObjectiveConfig
from stainbridge.joint.sbr.stream import SlicePair
from stainbridge.joint.sbr.task import SliceTask, StackFacts, measure_roughness
from stainbridge.nn.fields import Fields
from stainbridge.nn.resnet_generator import ResNetGenerator
from stainbridge.ranges import Weight
from stainbridge.similarity.lncc import local_ncc

if TYPE_CHECKING:
    from stainbridge.joint.sbr.config import SbrTraining


@dataclass(frozen=True, eq=False)
class Synthesis:
    """What generator and registration network make of a batch."""

    synthetic: Tensor
    """Moving pictures in the fixed contrast, (N, 1, H, W)."""
    fields: Fields
    """From fixed to moving pictures."""
    warped: Tensor
    """Synthetic pictures, warped onto the fixed ones, (N, 1, H, W)."""


@dataclass(frozen=True)
class SynthesisObjective(SbrObjectiveConfig):
    """Weights of the registration loss. Raises `InputError` for negative weights."""

    smoothness: Weight = 0.1
    """λ_G: twice it is the weight of the squared gradient of the velocity."""
    local_ncc: Weight = 0.0
    """Weight of −LNCC of fixed and registered pictures, in windows of 9 x 9 pixels.

    The paper has no such term. The authors' code has it, with a weight of 1. G learns faster with
    it."""

    def for_small(self) -> Self:
        """Return the objective with the authors' weight of LNCC."""
        return replace(self, local_ncc=1.0)


class SynthesisTask(SliceTask):
    """Trains G; R is frozen, and gradients flow through it.

    The registration loss is equation 3 of Casamitjana et al. 2021, and LNCC where it has a weight.
    """

    def __init__(self, training: SbrTraining, facts: StackFacts) -> None:
        assert isinstance(training.objective, SynthesisObjective)
        self.weights: SynthesisObjective = training.objective
        if facts.registration is None:
            raise InputError("a registration network is needed", remedy="name its run")
        self.generator = ResNetGenerator(training.generator)
        super().__init__(training, facts, self.generator)
        self.net.registration.requires_grad_(False)

    def synthesise(self, batch: SlicePair) -> Synthesis:
        """Translate the moving pictures and register them."""
        synthetic = self.net.synthesise(batch.moving)
        fields: Fields = self.net.registration(batch.fixed, synthetic)
        return Synthesis(synthetic, fields, warp(synthetic, fields.final, "zeros"))

    def registration_terms(self, batch: SlicePair, synthesis: Synthesis) -> dict[str, Tensor]:
        """Return the terms of the registration loss, each a scalar."""
        terms = {
            "mismatch": masked_l1(batch, synthesis.warped),
            "roughness": measure_roughness(synthesis.fields, self.weights.smoothness),
        }
        if not self.weights.local_ncc:
            return terms
        similarity = local_ncc(batch.fixed, synthesis.warped, grow_tissue(batch)).mean()
        return {**terms, "dissimilarity": -self.weights.local_ncc * similarity}

    def mismatch(self, batch: SlicePair, fields: Fields) -> Tensor:
        """Return the registration loss."""
        synthetic = self.net.synthesise(batch.moving)
        warped = warp(synthetic, fields.final, "zeros")
        synthesis = Synthesis(synthetic, fields, warped)
        return sum_terms(self.registration_terms(batch, synthesis))


def masked_l1(batch: SlicePair, warped: Tensor) -> Tensor:
    """Return the mean absolute difference to the fixed pictures, a scalar.

    It is over the fixed tissue, grown by 7 x 7 pixels.
    """
    mask = grow_tissue(batch)
    difference = (batch.fixed - warped).abs() * mask
    return difference.sum() / mask.sum().clamp_min(1)


def grow_tissue(batch: SlicePair) -> Tensor:
    """Return the fixed tissue, grown by 7 x 7 pixels, (N, 1, H, W) of 0 and 1."""
    return dilate(batch.fixed_mask > 0.5, RIM_PX)


def sum_terms(terms: dict[str, Tensor]) -> Tensor:
    """Return the sum of scalars."""
    first, *others = terms.values()
    total = first
    for term in others:
        total = total + term
    return total
