"""NMI: the registration network, trained between the modalities on mutual information."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from torch import Tensor

from stainbridge.geometry.flow import warp
from stainbridge.joint.sbr.network import RIM_PX, dilate
from stainbridge.joint.sbr.objective import SbrObjectiveConfig
from stainbridge.joint.sbr.optimiser import SliceOptimiserConfig
from stainbridge.joint.sbr.stream import SlicePair
from stainbridge.joint.sbr.synthesis import sum_terms
from stainbridge.joint.sbr.task import SliceTask, StackFacts, measure_roughness
from stainbridge.joint.sbr.variant import Variant
from stainbridge.learn.config import TrainConfig
from stainbridge.learn.task import Update
from stainbridge.nn.fields import Fields
from stainbridge.ranges import Weight, Within
from stainbridge.similarity.nmi import nmi

if TYPE_CHECKING:
    from stainbridge.joint.sbr.config import SbrTraining

#: How long the variants without a generator train between the modalities.
SMALL = TrainConfig(steps=5000, batch=4, workers=0, validation_samples=16)
PAPER = TrainConfig(steps=20_000, batch=10, workers=4, validation_samples=20)
#: Their optimiser.
OPTIMISER = SliceOptimiserConfig(1e-3)


@dataclass(frozen=True)
class NmiObjective(SbrObjectiveConfig):
    """Weights of the terms. Raises `InputError` for negative weights."""

    kind: Literal["nmi"] = "nmi"
    """The kind of objective, in files."""
    smoothness: Weight = 1.0
    """λ: twice it is the weight of the squared gradient of the velocity; the paper says none."""
    bins: Annotated[int, Within(2, 1024)] = 20
    """Bins of the histogram of either picture."""


class NmiTask(SliceTask):
    """Trains the network on normalised mutual information over the tissue of either picture."""

    def __init__(self, training: SbrTraining, facts: StackFacts) -> None:
        super().__init__(training, facts, None)
        assert isinstance(training.objective, NmiObjective)
        self.objective = training.objective
        self.optimisers = {"loss": self.make_adam(self.net)}

    def updates(self, batch: SlicePair) -> Iterator[Update]:
        """Yield the one loss."""
        terms = self.terms(batch, self.register(batch))
        yield Update("loss", sum_terms(terms), terms)

    def mismatch(self, batch: SlicePair, fields: Fields) -> Tensor:
        """Return the loss without labels."""
        return sum_terms(NmiTask.terms(self, batch, fields))

    def terms(self, batch: SlicePair, fields: Fields) -> dict[str, Tensor]:
        """Return the weighted terms, each a scalar."""
        warped = warp(batch.moving, fields.final, "zeros")
        tissue = dilate((batch.fixed_mask + batch.moving_mask) > 0.5, RIM_PX)
        similarity = nmi(batch.fixed, warped, tissue, bins=self.objective.bins).mean()
        return {
            "dissimilarity": -similarity,
            "roughness": measure_roughness(fields, self.objective.smoothness),
        }


VARIANT = Variant(
    NmiObjective,
    NmiTask,
    small=SMALL,
    paper=PAPER,
    make_objective=NmiObjective,
    optimiser=OPTIMISER,
)
