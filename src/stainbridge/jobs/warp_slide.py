"""Write the moving slide of a registration as it looks on the fixed one."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from stainbridge.jobs.choices import (
    CompressionChoice,
    CropChoice,
    InterpolationChoice,
    SlideFormatChoice,
)
from stainbridge.jobs.files.already_done import came_of, digest_job
from stainbridge.jobs.files.claim import claim_file, remove_leftovers
from stainbridge.jobs.files.crops import crop_origin_px
from stainbridge.jobs.files.endings import check_picture_ending
from stainbridge.jobs.files.finished_tiles import check_tiles_folder
from stainbridge.jobs.files.outputs import Inputs, check_output_file
from stainbridge.jobs.files.stored_slides import load_result, open_moving_slide, warp_inputs
from stainbridge.jobs.files.training_steps import note_few_steps
from stainbridge.jobs.files.write_picture import write_picture
from stainbridge.jobs.files.write_sharpened import write_sharpened
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress
from stainbridge.ranges import Within, check_ranges

if TYPE_CHECKING:
    from stainbridge.registration.store import StoredRegistration
    from stainbridge.slides.slide import Slide


@dataclass(frozen=True)
class WarpSlideOutcome:
    """What was written."""

    written: Path
    """The warped slide."""
    status: str
    """The status of the registration, "ok" or "fallback"."""
    origin_px: tuple[int, int]
    """The corner (x, y) of its first pixel, in full-resolution pixels of the fixed slide."""
    interpolation: InterpolationChoice
    """How its pixels were made."""
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
    interpolation: InterpolationChoice | None = None
    """How to make pixels of pixels; None is "nearest" for labels, which stay whole, else linear."""
    format: SlideFormatChoice | None = None
    """The layout; "tiff" is for OpenSlide. None is OME-Zarr for a name in .zarr, else OME-TIFF."""
    compression: CompressionChoice | None = None
    """How to store tiles; None is JPEG for RGB, and lossless otherwise, for labels and OME-Zarr."""
    quality: Annotated[int, Within(1, 100)] = 85
    """Quality of JPEG, 1 to 100."""
    threads: Annotated[int | None, Within(1, 1024)] = None
    """CPU threads; None is all cores."""
    sharpen: Path | None = None
    """A run of `train sharpen` to sharpen the result with."""
    moving: Path | None = None
    """Where the moving slide is now; None takes the recorded path."""
    overwrite: bool = False
    """Replace an existing file at `out`."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def run(
        self, progress: Progress = ignore_progress, note: Note = ignore_note
    ) -> WarpSlideOutcome:
        """Write the warped slide; `note` is told where its corner is, and of labels.

        Raises `InputError` for bad input and an output that must not be written, and
        `RegistrationError` when the registration failed.
        """
        began = time.perf_counter()
        stored = load_result(self.result, note)
        digest = self._digest(stored)
        is_done = not self.overwrite and came_of(self.out, digest)
        self._check_output(stored, overwrite=self.overwrite or is_done)
        note_few_steps((self.sharpen,), note)
        origin_px = crop_origin_px(stored, self.crop)
        interpolation = self.interpolation or self._choose_interpolation(stored, note)
        if is_done:
            remove_leftovers(self.out)
            note(f"already done: {self.out}; add --overwrite to write it again")
            seconds, status = time.perf_counter() - began, stored.registration.status
            return WarpSlideOutcome(self.out, status, origin_px, interpolation, seconds)
        open_warped = partial(self._open_warped, stored, interpolation, note)
        write = partial(self._write, digest, progress, interpolation)
        inputs = self._inputs(stored)
        with claim_file(self.out, inputs, overwrite=self.overwrite, may_be_zarr=True):
            if self.sharpen is None:
                with open_warped() as warped:
                    write(warped)
            else:
                sources = (self.result / "registration.json",)
                write_sharpened(
                    self.sharpen, open_warped, write, self.out, sources, self.crop, note
                )
        if self.crop != "fixed":
            x, y = origin_px
            note(f"the output's corner is at {x}, {y} px of the fixed slide")
        seconds = time.perf_counter() - began
        status = stored.registration.status
        return WarpSlideOutcome(self.out, status, origin_px, interpolation, seconds)

    def _inputs(self, stored: StoredRegistration) -> Inputs:
        inputs = warp_inputs(self.result, stored, self.moving)
        return replace(inputs, runs=(self.sharpen,))

    def _digest(self, stored: StoredRegistration) -> str:
        """Return what tells this request from others: settings, result and slide."""
        from stainbridge.registration.digest import digest_record

        files = {"moving": self.moving or stored.moving_path, "sharpen": self._sharpen_file()}
        return digest_job(self, files, record=digest_record(stored.record))

    def _sharpen_file(self) -> Path | None:
        from stainbridge.learn.named_weights import find_weights
        from stainbridge.learn.weights import choose_weights_file

        if self.sharpen is None:
            return None
        return choose_weights_file(find_weights(str(self.sharpen)))

    def _check_output(self, stored: StoredRegistration, *, overwrite: bool) -> None:
        inputs = self._inputs(stored)
        check_output_file(self.out, inputs, overwrite=overwrite, may_be_zarr=True)
        check_picture_ending(self.out, self.format)
        if self.sharpen is not None:
            check_tiles_folder(self.out)

    def _choose_interpolation(self, stored: StoredRegistration, note: Note) -> InterpolationChoice:
        """Return "nearest" for a moving slide of labels; a sharpened slide is one of tissue."""
        from stainbridge.slides.labels import is_label_slide

        if self.sharpen is not None:
            return "linear"
        with open_moving_slide(stored, self.moving) as moving:
            if not is_label_slide(moving):
                return "linear"
        note("the moving slide holds labels, which are kept whole: --interpolation nearest")
        return "nearest"

    def _open_warped(
        self, stored: StoredRegistration, interpolation: InterpolationChoice, note: Note
    ) -> Slide:
        moving = open_moving_slide(stored, self.moving, note)
        try:
            return stored.registration.warp_slide(
                moving, crop=self.crop, interpolation=interpolation
            )
        except BaseException:
            moving.close()
            raise

    def _write(
        self,
        digest: str,
        progress: Progress,
        interpolation: InterpolationChoice,
        warped: Slide,
    ) -> None:
        write_picture(
            warped,
            self.out,
            self.format,
            digest,
            compression=self.compression,
            quality=self.quality,
            is_label=interpolation == "nearest",
            threads=self.threads,
            stage="writing the warped slide",
            progress=progress,
        )
