"""What a registration returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from stainbridge.errors import RegistrationError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Transform

Status = Literal["ok", "fallback", "failed"]


@dataclass(frozen=True)
class StageRecord:
    """One stage of a pipeline: what it was, what it cost and whether its result was kept.

    `score_before` and `score_after` are the verification similarity (higher is better) of the transform handed in
    and of the stage's own; `note` says in words why a result was not accepted, or is empty.
    """

    name: str
    accepted: bool
    seconds: float
    score_before: float
    score_after: float
    note: str = ""
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Registration:
    """The outcome of a registration.

    `transform` is `moving_from_fixed` (fixed µm → moving µm); using it when `status` is "failed" raises
    `RegistrationError`. `status`: "ok"; "fallback", a later stage was rejected and the best verified earlier result
    stands; "failed", there is no transform. `predicted_rtre` is the expected median landmark error ÷ diagonal.
    """

    fixed: Frame
    moving: Frame
    status: Status
    reason: str
    stages: tuple[StageRecord, ...]
    seconds: float
    predicted_rtre: float
    seed: int
    config: dict[str, Any]
    solution: Transform | None = None

    @property
    def transform(self) -> Transform:
        """`moving_from_fixed`; raises `RegistrationError` when the registration failed."""
        if self.solution is None:
            raise RegistrationError(f"the registration failed: {self.reason}")
        return self.solution

    @property
    def predicted_um(self) -> float:
        """The predicted error in µm of the fixed slide."""
        return self.predicted_rtre * self.fixed.diagonal_um if np.isfinite(self.predicted_rtre) else float("nan")
