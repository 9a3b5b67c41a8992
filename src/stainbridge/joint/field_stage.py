"""What the stages of networks that see grey pictures have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from stainbridge.geometry.transform import DisplacementField
from stainbridge.joint.field import GreyField
from stainbridge.registration.stages.folds import repair_folds
from stainbridge.registration.stages.stage import (
    FOLDS_PX,
    Phase,
    Proposal,
    Stage,
    StageProgress,
    State,
)


@dataclass(frozen=True, eq=False)
class GreyFieldStage(Stage):
    """A network's field after the placement.

    Where it is accepted, the deformable stage begins at it with the settings `optimise`, or is left
    out where these are None.
    """

    config: Any
    network: GreyField
    phase: ClassVar[Phase] = "deformation"
    margin: ClassVar[float] = 0.002  # a network that does next to nothing takes no other's place
    baseline: ClassVar[str] = "the affine"

    def __call__(self, state: State, progress: StageProgress) -> Proposal:  # noqa: ARG002
        """Propose the network's field."""
        problem = state.problem
        displacement = repair_folds(self.find_field(state), problem.sections[0].frame.fit(FOLDS_PX))
        return Proposal(displacement=displacement, overrides={"deformable": self.config.optimise})

    def find_field(self, state: State) -> DisplacementField:
        """Return the displacement to apply before the placement."""
        problem = state.problem
        return self.network.register_slides(*problem.slides, state.placement, problem.masks)
