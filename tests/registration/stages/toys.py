"""Stages made up for tests: they propose what they are told to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from stainbridge.compute import ComputeContext
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import DisplacementField, Transform
from stainbridge.registration.stages.hypothesis import Hypothesis
from stainbridge.registration.stages.stage import (
    Phase,
    Proposal,
    Stage,
    StageConfig,
    StageProgress,
    State,
)


@dataclass(frozen=True)
class ToyConfig(StageConfig):
    """Settings of a stage that moves the placement."""

    kind: Literal["toy"] = field(default="toy", kw_only=True)
    """The stage's name in a pipeline file."""
    right_um: float = 0.0
    """How far to the right."""


@dataclass(frozen=True, eq=False)
class ToyStage(Stage):
    """Moves the best candidate to the right; the identity is its first placement."""

    config: ToyConfig = field(default_factory=ToyConfig)
    kind: ClassVar[str] = "toy"
    name: ClassVar[str] = "toy"
    phase: ClassVar[Phase] = "placement"
    config_type: ClassVar[type[StageConfig]] = ToyConfig

    @classmethod
    def make(cls, config: ToyConfig, context: ComputeContext) -> ToyStage:
        return cls(config)

    def __call__(self, state: State, progress: StageProgress) -> Proposal | None:
        matrix = state.candidates[0].matrix.copy() if state.candidates else np.eye(3)
        matrix[0, 2] += self.config.right_um
        return Proposal((Hypothesis(matrix, 1.0),))


@dataclass(frozen=True, eq=False)
class ProposingStage(ToyStage):
    """Proposes one thing, whatever the state."""

    proposal: Proposal | None = None
    margin: ClassVar[float] = 0.1
    baseline: ClassVar[str] = "the one before"

    def __call__(self, state: State, progress: StageProgress) -> Proposal | None:
        return self.proposal


@dataclass(frozen=True, eq=False)
class DoubtfulStage(ProposingStage):
    """Casts doubt on the result where it is rejected."""

    rejection_is_doubt: ClassVar[bool] = True


@dataclass(frozen=True, eq=False)
class DeformingStage(ProposingStage):
    """Deforms the placement; any gain is enough."""

    phase: ClassVar[Phase] = "deformation"
    margin: ClassVar[float] = 0.0


@dataclass(frozen=True, eq=False)
class LastResortStage(ToyStage):
    """Its first placement is taken whatever verification says."""

    last_resort: ClassVar[bool] = True


@dataclass(eq=False)
class MadeUpVerifier:
    """Returns made-up scores: first that of what was there, then that of the proposal."""

    before: float
    after: float
    transforms: list[Transform] = field(default_factory=list)

    def score(self, transform: Transform) -> float:
        self.transforms.append(transform)
        return self.before if len(self.transforms) == 1 else self.after


def constant_field(frame: Frame, right_um: float, fold: bool = False) -> DisplacementField:
    """Return a displacement to the right; with `fold` the right half of it jumps back."""
    displacement = np.zeros((2, frame.height, frame.width), np.float32)
    displacement[0] = right_um
    if fold:
        displacement[0, :, frame.width // 2 :] -= 10 * frame.mpp[0]
    return DisplacementField(displacement, frame, frame.space, frame.space)
