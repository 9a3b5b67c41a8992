"""Carry points from one slide of a registration to the other."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from stainbridge.errors import errors_within
from stainbridge.jobs.choices import CropChoice, SideChoice
from stainbridge.jobs.files.already_done import holds
from stainbridge.jobs.files.claim import claim_file
from stainbridge.jobs.files.crops import check_crop, target_offset_px
from stainbridge.jobs.files.endings import POINT_ENDINGS, check_ending
from stainbridge.jobs.files.outputs import check_output_file
from stainbridge.jobs.files.qupath_offsets import qupath_offset_px
from stainbridge.jobs.files.stored_slides import load_result, warp_inputs
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
    """A table with columns X and Y, QuPath's centroids or napari's axes."""
    out: Path
    """The CSV file to write; its folder exists."""
    to: SideChoice = "fixed"
    """The slide to carry points to, from the other one."""
    crop: CropChoice | None = None
    """The crop of `warp slide` to count from; None: the whole slide."""
    overwrite: bool = False
    """Replace an existing file at `out`."""

    def run(
        self,
        progress: Progress = ignore_progress,
        note: Note = ignore_note,
    ) -> WarpPointsOutcome:
        """Write the points where they lie on the other slide; other columns are kept.

        Raises `InputError` for bad input and an output that must not be written, and
        `RegistrationError` when the registration failed.
        """
        from stainbridge.geometry.point_table import (
            format_point_table,
            read_point_table,
            write_point_table,
        )

        began = time.perf_counter()
        check_crop(self.crop, self.to)
        stored = load_result(self.result, note)
        inputs = warp_inputs(self.result, stored, self.source)
        check_output_file(self.out, inputs, overwrite=True)
        check_ending(self.out, POINT_ENDINGS, ".csv, .tsv or .txt")
        with errors_within(self.source):
            table = read_point_table(self.source)
        registration = stored.registration
        frames = {"fixed": registration.fixed, "moving": registration.moving}
        origin: SideChoice = "moving" if self.to == "fixed" else "fixed"
        with errors_within(self.source):
            points_px = table.to_px(frames[origin], qupath_offset_px(stored, origin))
            warped_px = registration.warp_points(points_px, to=self.to)
        outside = frames[self.to].count_outside(warped_px)
        if outside:
            note(
                f"warning: {self.source}: {outside} of {len(warped_px)} points"
                f" lie off the {self.to} slide"
            )
        offset_px = target_offset_px(stored, self.to, self.crop)
        if self.crop is not None and not table.is_from_qupath:
            warped_px = warped_px - offset_px
        warped = table.with_px(warped_px, frames[self.to], offset_px).in_format_of(self.out)
        if not self.overwrite and holds(self.out, format_point_table(warped)):
            note(f"already done: {self.out}")
        else:
            with claim_file(self.out, inputs, overwrite=self.overwrite):
                write_point_table(self.out, warped)
        progress("points", 1.0)
        if self.crop not in (None, "fixed"):
            x, y = offset_px
            note(f"counted from {x:g}, {y:g} px of the fixed slide, the corner of the crop")
        seconds = time.perf_counter() - began
        return WarpPointsOutcome(self.out, len(table.rows), registration.status, seconds)
