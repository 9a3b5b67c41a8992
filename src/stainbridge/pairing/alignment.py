"""What an engine finds of a slide pair: the transform, and whether it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

from stainbridge.geometry.transform import Transform
from stainbridge.registration.result import Registration
from stainbridge.registration.verdict.judge import RegistrationStatus


@dataclass(frozen=True, eq=False)
class Alignment:
    """The alignment of a slide pair by one engine."""

    transform: Transform | None
    """Moving from fixed; None where the alignment failed."""
    status: RegistrationStatus
    """`ok`, `fallback` or `failed`."""
    reason: str
    """Why, in words."""
    registration: Registration | None = None
    """The registration of the whole slides that it grew from, where there was one."""
