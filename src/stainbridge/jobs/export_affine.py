"""Write the affine part of a registration for other programs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from stainbridge.errors import InputError
from stainbridge.jobs.files.already_done import holds
from stainbridge.jobs.files.claim import claim_file
from stainbridge.jobs.files.endings import check_ending
from stainbridge.jobs.files.outputs import check_output_file
from stainbridge.jobs.files.stored_slides import load_result, warp_inputs
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress
from stainbridge.whole import whole_file

#: The programs, and the ending of their files.
AffineFormatChoice: TypeAlias = Literal["xenium", "spatialdata", "ome-ngff"]
ENDINGS: dict[AffineFormatChoice, str] = {
    "xenium": ".csv",
    "spatialdata": ".json",
    "ome-ngff": ".json",
}


@dataclass(frozen=True)
class ExportAffineOutcome:
    """What was written."""

    written: Path
    """The file."""
    mean_um: float
    """Mean distance of the affine map from the registration, over the fixed slide."""
    largest_um: float
    """Largest distance."""
    calibrated: bool
    """Whether these are micrometres, and not pixels."""
    seconds: float
    """How long the job took."""


@dataclass(frozen=True, kw_only=True)
class ExportAffineJob:
    """The export of an affine map as one request; interrupted, it leaves nothing."""

    result: Path
    """The folder of a registration."""
    out: Path
    """The file to write; its folder exists."""
    format: AffineFormatChoice | None = None
    """The program it is for; None: Xenium Explorer for .csv, SpatialData for .json."""
    overwrite: bool = False
    """Replace an existing file at `out`."""

    def run(
        self, progress: Progress = ignore_progress, note: Note = ignore_note
    ) -> ExportAffineOutcome:
        """Write the affine map nearest to the registration, from moving to fixed pixels.

        Raises `InputError` for bad input, slides of several pieces and an output that must not be
        written, and `RegistrationError` when the registration failed.
        """
        from stainbridge.geometry.affine_files import (
            format_explorer,
            format_ngff,
            format_spatialdata,
        )
        from stainbridge.geometry.pixel_affine import fit_pixel_affine

        began = time.perf_counter()
        stored = load_result(self.result, note)
        inputs = warp_inputs(self.result, stored)
        check_output_file(self.out, inputs, overwrite=True)
        chosen = self._choose_format()
        affine = fit_pixel_affine(stored.registration.transform)
        formats = {
            "xenium": format_explorer,
            "spatialdata": format_spatialdata,
            "ome-ngff": format_ngff,
        }
        data = formats[chosen](affine).encode()
        if not self.overwrite and holds(self.out, data):
            note(f"already done: {self.out}")
        else:
            with (
                claim_file(self.out, inputs, overwrite=self.overwrite),
                whole_file(self.out) as temporary,
            ):
                temporary.write_bytes(data)
        progress("affine", 1.0)
        return ExportAffineOutcome(
            self.out,
            affine.mean_um,
            affine.largest_um,
            stored.registration.moving.calibrated,
            time.perf_counter() - began,
        )

    def _choose_format(self) -> AffineFormatChoice:
        """Return the format; raise `InputError` where nothing tells it or the ending is another."""
        ending = self.out.suffix.lower()
        if self.format is not None:
            check_ending(self.out, ("", ENDINGS[self.format]), ENDINGS[self.format])
            return self.format
        for name, its_ending in ENDINGS.items():
            if ending == its_ending:
                return name
        raise InputError(
            "unknown kind of file",
            where=self.out,
            expected=".csv or .json",
            got=ending or "no ending",
            remedy="add --format",
        )
