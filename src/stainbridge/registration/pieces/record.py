"""What is recorded of a piece of tissue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stainbridge.registration.verdict.judge import RegistrationStatus
from stainbridge.types import Box

PieceSide = Literal["fixed", "moving"]
PieceStatus = RegistrationStatus | Literal["alone"]


@dataclass(frozen=True)
class PieceRecord:
    """One piece of tissue of a registration: where it lies, its partner, and the verdict on it.

    `Registration.pieces` holds them where a slide has several pieces.

    Example:
        >>> piece = stainbridge.PieceRecord("fixed 1", "fixed", "moving 2", "ok", "it fits", 0.4)
        >>> piece.status
        'ok'

    """

    name: str
    """The slide and the piece's number there, the largest first."""
    side: PieceSide
    """The slide it lies on; of a pair of pieces only the fixed one is recorded."""
    partner: str | None
    """The name of its counterpart on the other slide; None where it has none."""
    status: PieceStatus
    """`ok`, `fallback` or `failed`; `alone` where it has no partner."""
    reason: str
    """Why, in words."""
    share: float
    """Its area ÷ that of all tissue on its slide."""
    predicted_um: float = float("nan")
    """Expected median error in µm."""
    bound_um: float = float("nan")
    """What nine of ten such registrations stay below, in µm."""
    diagonal_um: float = float("nan")
    """Diagonal of the box around it."""
    rotation_deg: float = float("nan")
    """By how much it is turned on the moving slide."""
    flip: bool = False
    """Whether it is mirrored there."""
    box_px: Box = (0.0, 0.0, 0.0, 0.0)
    """Where it lies."""
    partner_box_px: Box | None = None
    """Where its counterpart lies on the other slide."""
