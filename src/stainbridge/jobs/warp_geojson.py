"""Carry annotations from one slide of a registration to the other."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stainbridge.jobs.choices import SideChoice
from stainbridge.jobs.files.outputs import check_output_file
from stainbridge.jobs.files.stored_slides import warp_inputs
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress

if TYPE_CHECKING:
    from stainbridge.registration.store import StoredRegistration


@dataclass(frozen=True)
class WarpGeojsonOutcome:
    """What was written."""

    written: Path
    """The file of annotations."""
    status: str
    """The status of the registration, "ok" or "fallback"."""
    seconds: float
    """How long the job took."""


@dataclass(frozen=True, kw_only=True)
class WarpGeojsonJob:
    """The warping of annotations as one request; interrupted, it leaves nothing."""

    result: Path
    """The folder of a registration."""
    source: Path
    """A GeoJSON file as QuPath exports it, in full-resolution pixels."""
    out: Path
    """The GeoJSON file to write; its folder exists."""
    to: SideChoice = "fixed"
    """The slide to carry annotations to, from the other one."""
    overwrite: bool = False
    """Replace an existing file at `out`."""

    def run(
        self,
        progress: Progress = ignore_progress,
        note: Note = ignore_note,  # noqa: ARG002 - every job takes both callbacks
    ) -> WarpGeojsonOutcome:
        """Write the annotations where they lie on the other slide; ids and classes are kept.

        Raises `InputError` for bad input and an output that must not be written, and
        `RegistrationError` when the registration failed.
        """
        from stainbridge.geometry.geojson import read_geojson, write_geojson
        from stainbridge.registration.store import load_stored

        began = time.perf_counter()
        stored = load_stored(self.result)
        inputs = warp_inputs(self.result, stored, self.source)
        check_output_file(self.out, inputs, overwrite=self.overwrite)
        origin: SideChoice = "moving" if self.to == "fixed" else "fixed"
        warped = stored.registration.warp_geojson(
            read_geojson(self.source),
            to=self.to,
            from_offset_px=_qupath_offset_px(stored, origin),
            to_offset_px=_qupath_offset_px(stored, self.to),
        )
        write_geojson(self.out, warped)
        progress("annotations", 1.0)
        seconds = time.perf_counter() - began
        return WarpGeojsonOutcome(self.out, stored.registration.status, seconds)


def _qupath_offset_px(stored: StoredRegistration, side: SideChoice) -> tuple[float, float]:
    """Return the corner (x, y) that QuPath counts from on this slide."""
    x, y = stored.record[side].get("bounds_px", (0, 0))
    return float(x), float(y)
