"""Synth-by-Reg as a stage of a registration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from stainbridge.compute import ComputeContext
from stainbridge.joint.field_stage import GreyFieldStage
from stainbridge.joint.sbr.model import load_sbr
from stainbridge.learn.named_weights import find_weights
from stainbridge.registration.stages.deformable import DeformableConfig
from stainbridge.registration.stages.stage import StageConfig


@dataclass(frozen=True)
class SbrConfig(StageConfig):
    """Settings of a trained Synth-by-Reg model after the placement."""

    kind: Literal["sbr"] = field(default="sbr", kw_only=True)
    """The stage's name in a pipeline file."""
    weights: str = ""
    """A run of `train sbr`, or a file of weights."""
    optimise: DeformableConfig | None = None
    """The deformable stage from the model's field; None: none.

    Where the model's field is rejected, the deformable stage keeps its own settings.
    """


@dataclass(frozen=True, eq=False)
class SbrStage(GreyFieldStage):
    """The field of a translated section (Casamitjana et al. 2021)."""

    kind: ClassVar[str] = "sbr"
    name: ClassVar[str] = "synth-by-reg"
    config_type: ClassVar[type[StageConfig]] = SbrConfig

    @classmethod
    def make(cls, config: SbrConfig, context: ComputeContext) -> SbrStage:
        """Return the stage with its networks loaded; raises `InputError` for unusable weights."""
        return cls(config, load_sbr(find_weights(config.weights), context.device))
