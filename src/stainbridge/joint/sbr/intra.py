"""R, the registration network within one modality (Casamitjana et al. 2021, section 2.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from torch import Tensor

from stainbridge.geometry.flow import warp
from stainbridge.joint.sbr.objective import SbrObjectiveConfig
from stainbridge.joint.sbr.optimiser import SliceOptimiserConfig
from stainbridge.joint.sbr.stream import SlicePair
from stainbridge.joint.sbr.task import SliceTask, StackFacts, measure_roughness
from stainbridge.joint.sbr.variant import Variant
from stainbridge.learn.config import TrainConfig
from stainbridge.learn.task import Update
from stainbridge.nn.fields import Fields
from stainbridge.ranges import Weight, Within
from stainbridge.similarity.lncc import local_ncc

if TYPE_CHECKING:
    from stainbridge.joint.sbr.config import SbrTraining


@dataclass(frozen=True)
class IntraObjective(SbrObjectiveConfig):
    """Equation 2: −LNCC + 2λ_R‖∇ψ‖². Raises `InputError` for a negative weight."""

    kind: Literal["intra"] = "intra"
    """The kind of objective, in files."""
    smoothness: Weight = 1.0
    """λ_R: twice it is the weight of the squared gradient of the velocity."""
    radius: Annotated[int, Within(1, 64)] = 4
    """Radius of the windows of LNCC in pixels: 9 x 9."""


class IntraTask(SliceTask):
    """Trains R on slices that are near in the stack."""

    def __init__(self, training: SbrTraining, facts: StackFacts) -> None:
        super().__init__(training, facts, None)
        assert isinstance(training.objective, IntraObjective)
        self.objective = training.objective
        self.optimisers = {"loss": self.make_adam(self.net)}

    def updates(self, batch: SlicePair) -> Iterator[Update]:
        """Yield the one loss."""
        fields = self.register(batch)
        unlike = self._dissimilarity(batch, fields)
        rough = measure_roughness(fields, self.objective.smoothness)
        yield Update("loss", unlike + rough, {"dissimilarity": unlike, "roughness": rough})

    def mismatch(self, batch: SlicePair, fields: Fields) -> Tensor:
        """Return the loss."""
        rough = measure_roughness(fields, self.objective.smoothness)
        return self._dissimilarity(batch, fields) + rough

    def _dissimilarity(self, batch: SlicePair, fields: Fields) -> Tensor:
        warped = warp(batch.moving, fields.final, "zeros")
        return -local_ncc(batch.fixed, warped, radius=self.objective.radius).mean()


VARIANT = Variant(
    IntraObjective,
    IntraTask,
    small=TrainConfig(steps=5000, batch=4, workers=0, validation_samples=16),
    paper=TrainConfig(steps=20_000, batch=10, workers=4, validation_samples=20),
    make_objective=IntraObjective,
    shows_neighbours=True,
    optimiser=SliceOptimiserConfig(1e-3),
)
