"""What is recorded of a stage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class StageRecord:
    """One stage of a registration: what it was, what it cost and whether its result was kept.

    `Registration.stages` holds them.

    Example:
        >>> record = stainbridge.StageRecord("affine", True, 1.5, 0.31, 0.42)
        >>> record.score_after > record.score_before
        True

    """

    name: str
    """The stage's name."""
    accepted: bool
    """Whether its proposal was kept."""
    seconds: float
    """Wall time, verification included."""
    score_before: float
    """Verification score of the transform handed in; higher is better."""
    score_after: float
    """Verification score of the stage's own transform."""
    note: str = ""
    """Why a proposal was not accepted; empty where it was."""
    config: dict[str, Any] = field(default_factory=dict)
    """The stage's settings, as plain values."""
