"""Carry points from one slide of a registration to the other."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from stainbridge.jobs.choices import SideChoice
from stainbridge.jobs.files.outputs import check_output_file
from stainbridge.jobs.files.stored_slides import warp_inputs
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress


@dataclass(frozen=True)
class WarpPointsOutcome:
    """What was written."""

    written: Path
    """The file of points."""
    points: int
    """How many points it holds."""
    status: str
    """The status of the registration, "ok" or "fallback"."""
    seconds: float
    """How long the job took."""


@dataclass(frozen=True, kw_only=True)
class WarpPointsJob:
    """The warping of points as one request; interrupted, it leaves nothing."""

    result: Path
    """The folder of a registration."""
    source: Path
    """A CSV file with columns X and Y, in full-resolution pixels."""
    out: Path
    """The CSV file to write; its folder exists."""
    to: SideChoice = "fixed"
    """The slide to carry points to, from the other one."""
    overwrite: bool = False
    """Replace an existing file at `out`."""

    def run(
        self,
        progress: Progress = ignore_progress,
        note: Note = ignore_note,  # noqa: ARG002 - every job takes both callbacks
    ) -> WarpPointsOutcome:
        """Write the points where they lie on the other slide.

        Raises `InputError` for bad input and an output that must not be written, and
        `RegistrationError` when the registration failed.
        """
        from stainbridge.geometry.landmarks import read_points_csv, write_points_csv
        from stainbridge.registration.store import load_stored

        began = time.perf_counter()
        stored = load_stored(self.result)
        inputs = warp_inputs(self.result, stored, self.source)
        check_output_file(self.out, inputs, overwrite=self.overwrite)
        points_px, labels = read_points_csv(self.source)
        warped_px = stored.registration.warp_points(points_px, to=self.to)
        write_points_csv(self.out, warped_px, labels)
        progress("points", 1.0)
        seconds = time.perf_counter() - began
        return WarpPointsOutcome(self.out, len(labels), stored.registration.status, seconds)
