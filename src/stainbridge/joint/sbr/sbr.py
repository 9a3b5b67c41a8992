"""SbR: registration loss and contrastive losses (Casamitjana et al. 2021, equation 7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import torch
from torch import Tensor

from stainbridge.joint.sbr.stream import SlicePair
from stainbridge.joint.sbr.synthesis import (
    Synthesis,
    SynthesisObjective,
    SynthesisTask,
    sum_terms,
)
from stainbridge.joint.sbr.task import StackFacts
from stainbridge.joint.sbr.variant import Variant
from stainbridge.learn.config import TrainConfig
from stainbridge.learn.task import Update
from stainbridge.nn.patch_projection import PatchProjection
from stainbridge.ranges import Weight, Within
from stainbridge.translation.objectives.patch_nce import draw_locations, patch_nce

if TYPE_CHECKING:
    from stainbridge.joint.sbr.config import SbrTraining

#: How long the variants with a generator train. An epoch of the paper is 93 slices.
SMALL = TrainConfig(steps=6000, workers=0, validation_samples=16, validate_every=500)
PAPER = TrainConfig(steps=37_200, batch=1, workers=2, validation_samples=20, validate_every=500)


@dataclass(frozen=True)
class SbrObjective(SynthesisObjective):
    """Weights of the terms. Raises `InputError` for negative weights."""

    kind: Literal["sbr"] = "sbr"
    """The kind of objective, in files."""
    contrast: Weight = 0.1
    """λ_geo: weight of both PatchNCE losses."""
    temperature: Annotated[float, Within(1e-6, 1e6)] = 0.05
    """τ: cosine similarities are divided by it."""
    locations: Annotated[int, Within(1, 1_000_000)] = 256
    """Locations in the tissue that are drawn in each layer."""
    projection: Annotated[int, Within(1, 65536)] = 256
    """Width of the two-layer perceptron of each layer."""


class SbrTask(SynthesisTask):
    """Trains G and the perceptrons of its layers."""

    def __init__(self, training: SbrTraining, facts: StackFacts) -> None:
        super().__init__(training, facts)
        assert isinstance(training.objective, SbrObjective)
        self.objective = training.objective
        trained: list[torch.nn.Module] = [self.generator]
        if self.objective.contrast:
            self.projection = PatchProjection(
                self.generator.feature_channels, self.objective.projection
            )
            self.networks = {**self.networks, "projection": self.projection}
            trained.append(self.projection)
        self.optimisers = {"generator": self.make_adam(*trained)}

    def updates(self, batch: SlicePair) -> Iterator[Update]:
        """Yield the generator's loss."""
        synthesis = self.synthesise(batch)
        terms = self.generator_terms(batch, synthesis)
        yield Update("generator", sum_terms(terms), terms)

    def generator_terms(self, batch: SlicePair, synthesis: Synthesis) -> dict[str, Tensor]:
        """Return the weighted terms of equation 7."""
        terms = self.registration_terms(batch, synthesis)
        if not self.objective.contrast:
            return terms
        source = self._contrast(synthesis.synthetic, batch.moving, batch.moving_mask)
        target = self._contrast(synthesis.warped, batch.fixed, batch.fixed_mask)
        return {**terms, "contrast": self.objective.contrast * (source + target)}

    def _contrast(self, query: Tensor, reference: Tensor, mask: Tensor) -> Tensor:
        """Return PatchNCE of locations in the mask (equation 5), a scalar.

        The paper prints a sum over layers. The authors' code takes their mean, and so does this.
        """
        features = self.generator.features(query)
        locations = draw_locations(features, self.objective.locations, mask)
        queries = self._project(features, locations)
        with torch.no_grad():  # as published, no gradient flows into references
            references = self._project(self.generator.features(reference), locations)
        return patch_nce(queries, references, self.objective.temperature)

    def _project(self, features: Sequence[Tensor], locations: Sequence[Tensor]) -> list[Tensor]:
        vectors: list[Tensor] = self.projection(features, locations)
        return vectors


VARIANT = Variant(
    SbrObjective,
    SbrTask,
    small=SMALL,
    paper=PAPER,
    make_objective=SbrObjective,
    needs_registration=True,
)
