"""What a registration returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from stainbridge.errors import RegistrationError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.geojson import warp_geojson
from stainbridge.geometry.geojson_document import Json
from stainbridge.geometry.transform import Transform
from stainbridge.geometry.warp import Crop, find_output_frame
from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.slides.slide import Slide
from stainbridge.slides.warped import WarpedSlide
from stainbridge.types import Points

Side = Literal["fixed", "moving"]
Status = Literal["ok", "fallback", "failed"]


@dataclass(frozen=True)
class StageRecord:
    """One stage of a pipeline: what it was, what it cost and whether its result was kept.

    `score_before` and `score_after` are the verification similarity (higher is better) of the
    transform handed in and of the stage's own; `note` says in words why a result was not accepted,
    or is empty.
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

    `transform` is `moving_from_fixed` (fixed µm → moving µm); using it when `status` is "failed"
    raises `RegistrationError`. `status`: "ok"; "fallback", usable with care: a later stage was
    rejected and the best verified earlier result stands, or a large error cannot be ruled out;
    "failed", there is no transform. `predicted_rtre` is the expected median landmark error ÷ the
    fixed slide's diagonal, `bound_rtre` what nine of ten such registrations stay below, `evidence`
    what both were judged by (None where it did not come to that). See docs/verdict.md.
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
    bound_rtre: float = float("nan")
    evidence: Evidence | None = None

    @property
    def transform(self) -> Transform:
        """`moving_from_fixed`; raises `RegistrationError` when the registration failed."""
        if self.solution is None:
            raise RegistrationError(f"the registration failed: {self.reason}")
        return self.solution

    @property
    def predicted_um(self) -> float:
        """The predicted error in µm of the fixed slide."""
        return (
            self.predicted_rtre * self.fixed.diagonal_um
            if np.isfinite(self.predicted_rtre)
            else float("nan")
        )

    def towards(self, side: Side) -> Transform:
        """The transform whose points come out on `side`: "fixed" or "moving"."""
        return self.transform if side == "moving" else self.transform.inverse()

    def warp_points(self, points_px: npt.ArrayLike, to: Side = "fixed") -> Points:
        """Carry (N, 2) points, x and y in full-resolution pixels, to the slide `to` from the other
        one.
        """
        points = np.asarray(points_px, float).reshape(-1, 2)
        transform = self.towards(to)
        return transform.target.frame.to_px(transform(transform.source.frame.to_um(points)))

    def warp_geojson(
        self,
        data: Json,
        to: Side = "fixed",
        *,
        from_offset_px: tuple[float, float] = (0, 0),
        to_offset_px: tuple[float, float] = (0, 0),
    ) -> Json:
        """Carry GeoJSON in full-resolution pixels to the slide `to` from the other one.

        The offsets are the corners that QuPath counts from on slides that it crops, their
        `info.bounds_px`. Raises `InputError` for what is no GeoJSON; see
        `stainbridge.geometry.geojson.warp_geojson`.
        """
        return warp_geojson(
            data, self.towards(to), from_offset_px=from_offset_px, to_offset_px=to_offset_px
        )

    def warp_slide(self, moving: Slide, crop: Crop = "fixed") -> WarpedSlide:
        """The moving slide as a `Slide` in the fixed one's space, warped as it is read; closing it
        closes `moving`.
        """
        return WarpedSlide(
            moving, self.transform, find_output_frame(self.transform, self.fixed, self.moving, crop)
        )

    def save(
        self,
        directory: Path | str,
        fixed: Slide | Path | str | None = None,
        moving: Slide | Path | str | None = None,
    ) -> None:
        """Write `registration.json` and `transform.h5` into `directory`; `fixed`, `moving` say
        where the slides are.

        Raises `InputError` when the folder cannot be written.
        """
        from stainbridge.registration.store import save

        save(self, Path(directory), fixed, moving)
