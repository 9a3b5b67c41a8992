"""Segmentation-augmented registration as a stage of a registration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from stainbridge.compute import ComputeContext
from stainbridge.geometry.transform import Chain, DisplacementField
from stainbridge.joint.field_stage import GreyFieldStage
from stainbridge.joint.sar.model import SarField, load_sar
from stainbridge.joint.sar.tune import MAX_ITERATIONS, MIN_ITERATIONS, TuneConfig
from stainbridge.learn.named_weights import find_weights
from stainbridge.ranges import Within, check_ranges
from stainbridge.registration.stages.deformable import DeformableConfig
from stainbridge.registration.stages.folds import repair_folds
from stainbridge.registration.stages.stage import FOLDS_PX, StageConfig, State


@dataclass(frozen=True)
class SarConfig(StageConfig):
    """Settings of a trained SAR model after the placement.

    Raises `InputError` for a number of iterations out of range.
    """

    kind: Literal["sar"] = field(default="sar", kw_only=True)
    """The stage's name in a pipeline file."""
    weights: str = ""
    """A run of `train sar`, or a file of weights."""
    tune: Annotated[int | None, Within(MIN_ITERATIONS, MAX_ITERATIONS)] = None
    """Most iterations that the last layer is tuned to the pair, 10 to 30; None: not tuned."""
    optimise: DeformableConfig | None = None
    """The deformable stage from the model's field; None: none.

    Where the model's field is rejected, the deformable stage keeps its own settings.
    """

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True, eq=False)
class SarStage(GreyFieldStage):
    """The field of a generator, tuned to the pair where that is asked for (Mahapatra & Ge)."""

    config: SarConfig
    network: SarField
    kind: ClassVar[str] = "sar"
    name: ClassVar[str] = "segmentation-augmented"
    config_type: ClassVar[type[StageConfig]] = SarConfig

    @classmethod
    def make(cls, config: SarConfig, context: ComputeContext) -> SarStage:
        """Return the stage with its networks loaded; raises `InputError` for unusable weights."""
        return cls(config, load_sar(find_weights(config.weights), context.device))

    def find_field(self, state: State) -> DisplacementField:
        """Return the displacement to apply before the placement.

        A tuned generator's field is taken only where it verifies better than the untuned one's.
        """
        plain = super().find_field(state)
        if self.config.tune is None:
            return plain
        problem = state.problem
        arguments = (*problem.slides, state.placement, problem.masks)
        tuned = self.network.tune(*arguments, TuneConfig(self.config.tune))
        field = tuned.register_slides(*arguments)
        return max((plain, field), key=lambda found: self._measure_score(state, found))

    def _measure_score(self, state: State, displacement: DisplacementField) -> float:
        """Return the score of the field as it would be proposed."""
        frame = state.problem.sections[0].frame.fit(FOLDS_PX)
        repaired = repair_folds(displacement, frame)
        return state.problem.measure_score(Chain((repaired, state.placement)))
