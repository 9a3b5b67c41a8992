"""Write the moving slide of a registration as it looks on the fixed one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from stainbridge.jobs.choices import CompressionChoice, SlideFormatChoice
from stainbridge.jobs.files.finished_tiles import check_tiles_folder
from stainbridge.jobs.files.outputs import Inputs, check_output_file
from stainbridge.jobs.files.stored_slides import open_moving_slide, warp_inputs
from stainbridge.jobs.files.write_sharpened import write_sharpened
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress

if TYPE_CHECKING:
    from stainbridge.registration.store import StoredRegistration
    from stainbridge.slides.slide import Slide

CropChoice: TypeAlias = Literal["fixed", "overlap", "moving"]


@dataclass(frozen=True)
class WarpSlideOutcome:
    """What was written."""

    written: Path
    """The warped slide."""
    status: str
    """The status of the registration, "ok" or "fallback"."""
    seconds: float
    """How long the job took."""


@dataclass(frozen=True, kw_only=True)
class WarpSlideJob:
    """The warping of a slide as one request.

    The slide appears at `out` when it is complete. Interrupted, nothing is left; with `sharpen`,
    finished tiles stay beside `out` and the same job resumes from them.
    """

    result: Path
    """The folder of a registration."""
    out: Path
    """The slide to write; its folder exists."""
    crop: CropChoice = "fixed"
    """What to cover: the fixed slide, the part that both cover, or the moving slide."""
    format: SlideFormatChoice = "ome-tiff"
    """The layout of the file; "tiff" is for OpenSlide."""
    compression: CompressionChoice | None = None
    """How to store tiles; None is JPEG for RGB and lossless otherwise."""
    quality: int = 85
    """Quality of JPEG, 1 to 100."""
    threads: int | None = None
    """CPU threads; None is all cores."""
    sharpen: Path | None = None
    """A run of `train sharpen` to sharpen the result with."""
    moving: Path | None = None
    """Where the moving slide is now; None takes the recorded path."""
    overwrite: bool = False
    """Replace an existing file at `out`."""

    def run(
        self, progress: Progress = ignore_progress, note: Note = ignore_note
    ) -> WarpSlideOutcome:
        """Write the warped slide.

        Raises `InputError` for bad input and an output that must not be written, and
        `RegistrationError` when the registration failed.
        """
        from stainbridge.registration.store import load_stored

        began = time.perf_counter()
        stored = load_stored(self.result)
        self._check_output(stored)
        open_warped = partial(self._open_warped, stored)
        write = partial(self._write, progress)
        if self.sharpen is None:
            with open_warped() as warped:
                write(warped)
        else:
            record = self.result / "registration.json"
            write_sharpened(self.sharpen, open_warped, write, self.out, (record,), self.crop, note)
        return WarpSlideOutcome(self.out, stored.registration.status, time.perf_counter() - began)

    def _check_output(self, stored: StoredRegistration) -> None:
        inputs = warp_inputs(self.result, stored, self.moving)
        inputs = Inputs(files=inputs.files, results=inputs.results, runs=(self.sharpen,))
        check_output_file(self.out, inputs, overwrite=self.overwrite)
        if self.sharpen is not None:
            check_tiles_folder(self.out)

    def _open_warped(self, stored: StoredRegistration) -> Slide:
        moving = open_moving_slide(stored, self.moving)
        try:
            return stored.registration.warp_slide(moving, crop=self.crop)
        except BaseException:
            moving.close()
            raise

    def _write(self, progress: Progress, warped: Slide) -> None:
        from stainbridge.slides.writing.write import write_slide

        write_slide(
            warped,
            self.out,
            file_format=self.format,
            compression=self.compression,
            quality=self.quality,
            threads=self.threads,
            progress=lambda done, total: progress("writing the warped slide", done / total),
            overwrite=True,
        )
