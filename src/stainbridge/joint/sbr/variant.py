"""A variant as it was published: its objective, its task, and how it is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from stainbridge.errors import InputError
from stainbridge.joint.sbr.objective import SbrObjectiveConfig
from stainbridge.joint.sbr.optimiser import SliceOptimiserConfig
from stainbridge.joint.sbr.task import SliceTask
from stainbridge.learn.config import TrainConfig


@dataclass(frozen=True)
class Variant:
    """A line of the table of variants. The module of each variant makes one."""

    objective: type[Any]
    """The class of the objective's settings, told apart in files by its `kind`."""
    make_task: Callable[..., SliceTask]
    """Makes the task from the training's settings and a `StackFacts`."""
    small: TrainConfig
    """How long the preset "small" trains."""
    paper: TrainConfig
    """How long the preset "paper" trains."""
    make_objective: Callable[[], SbrObjectiveConfig]
    """Returns the objective's settings as published."""
    needs_registration: bool = False
    """Whether it takes a trained network R."""
    needs_labels: bool = False
    """Whether it is trained on labels."""
    shows_neighbours: bool = False
    """Whether a sample is two slices of the fixed modality, near in the stack."""
    optimiser: SliceOptimiserConfig = field(default_factory=SliceOptimiserConfig)
    """The optimiser."""

    def check(self, objective: SbrObjectiveConfig) -> None:
        """Raise `InputError` for settings of another objective."""
        if type(objective) is not self.objective:
            raise InputError(
                "settings of another objective", expected=self.objective.kind, got=objective.kind
            )
