"""What an engine finds of a slide pair: the transform, and whether it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Transform
from stainbridge.registration.result import Registration
from stainbridge.registration.verdict.judge import RegistrationStatus
from stainbridge.types import Plane

#: Places along the longer side of a patch at which its error is looked up.
PLACES = 9


@dataclass(frozen=True, eq=False)
class ErrorMap:
    """How sure an alignment is of where it puts tissue."""

    error_um: Plane
    """Error of the displacement, (h, w)."""
    grid: Frame
    """Where it is known, in the fixed slide's space."""

    def measure(self, frame: Frame) -> float:
        """Return the mean error in µm over the patch `frame`."""
        columns, rows = (self.grid.to_px(frame.fit(PLACES).centres_um()) - 0.5).T
        values = map_coordinates(self.error_um, [rows, columns], order=1, mode="nearest")
        return float(np.mean(values))


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
    error: ErrorMap | None = None
    """The error of the transform, as far as the engine can tell."""
