"""Carry annotations from one slide of a registration to the other."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from stainbridge.errors import errors_within
from stainbridge.jobs.choices import CropChoice, SideChoice
from stainbridge.jobs.files.already_done import holds
from stainbridge.jobs.files.claim import claim_file
from stainbridge.jobs.files.crops import check_crop, target_offset_px
from stainbridge.jobs.files.endings import check_geojson_ending, is_packed
from stainbridge.jobs.files.outputs import check_output_file
from stainbridge.jobs.files.qupath_offsets import qupath_offset_px
from stainbridge.jobs.files.stored_slides import load_result, warp_inputs
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress


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
    crop: CropChoice | None = None
    """The crop of `warp slide` to count from; None: the whole slide."""
    overwrite: bool = False
    """Replace an existing file at `out`."""

    def run(
        self,
        progress: Progress = ignore_progress,
        note: Note = ignore_note,
    ) -> WarpGeojsonOutcome:
        """Write the annotations where they lie on the other slide; ids and classes are kept.

        Raises `InputError` for bad input and an output that must not be written, and
        `RegistrationError` when the registration failed.
        """
        from stainbridge.geometry.geojson import (
            count_outside,
            format_geojson,
            read_geojson,
            write_geojson,
        )

        began = time.perf_counter()
        check_crop(self.crop, self.to)
        stored = load_result(self.result, note)
        inputs = warp_inputs(self.result, stored, self.source)
        check_output_file(self.out, inputs, overwrite=True)
        check_geojson_ending(self.out)
        origin: SideChoice = "moving" if self.to == "fixed" else "fixed"
        offset_px = target_offset_px(stored, self.to, self.crop)
        with errors_within(self.source):
            warped = stored.registration.warp_geojson(
                read_geojson(self.source),
                to=self.to,
                from_offset_px=qupath_offset_px(stored, origin),
                to_offset_px=offset_px,
            )
        content = format_geojson(warped, packed=is_packed(self.out))
        if not self.overwrite and holds(self.out, content):
            note(f"already done: {self.out}")
        else:
            with claim_file(self.out, inputs, overwrite=self.overwrite):
                write_geojson(self.out, warped)
        target = getattr(stored.registration, self.to)
        outside, objects = count_outside(warped, target, offset_px)
        if outside:
            share = f"{outside} of {objects} outlines"
            note(f"warning: {self.source}: {share} lie off the {self.to} slide")
        progress("annotations", 1.0)
        if self.crop not in (None, "fixed"):
            x, y = offset_px
            note(f"counted from {x:g}, {y:g} px of the fixed slide, the corner of the crop")
        seconds = time.perf_counter() - began
        return WarpGeojsonOutcome(self.out, stored.registration.status, seconds)
