"""Write a slide as a trained model translates it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from stainbridge.compute import DeviceChoice
from stainbridge.jobs.choices import CompressionChoice, SlideFormatChoice
from stainbridge.jobs.files.already_done import came_of, digest_job
from stainbridge.jobs.files.claim import claim_file, remove_leftovers
from stainbridge.jobs.files.endings import ZARR, check_picture_ending
from stainbridge.jobs.files.finished_tiles import (
    SHARPENED,
    TRANSLATED,
    check_tiles_folder,
    keep_finished_tiles,
    tiles_folder,
)
from stainbridge.jobs.files.outputs import Inputs, check_output_file
from stainbridge.jobs.files.training_steps import note_few_steps
from stainbridge.jobs.files.write_picture import write_picture
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress
from stainbridge.ranges import PixelSize, Seed, Within, check_ranges

if TYPE_CHECKING:
    from stainbridge.slides.slide import Slide
    from stainbridge.translation.inference.apply import ApplyConfig
    from stainbridge.translation.inference.model import Model
    from stainbridge.translation.sharpening.sharpen import Sharpening

PrecisionChoice: TypeAlias = Literal["32", "bf16", "16"]


@dataclass(frozen=True)
class TranslateOutcome:
    """What was written."""

    written: Path
    """The translated slide."""
    target: str
    """The stain it is in."""
    seconds: float
    """How long the job took."""


@dataclass(frozen=True, kw_only=True)
class TranslateJob:
    """The translation of a slide as one request.

    The slide appears at `out` when it is complete. Interrupted, finished tiles stay beside it, in
    a folder named like `out` with ".parts", and the same job resumes from them.
    """

    slide: Path
    """The slide to translate."""
    model: Path
    """A run of `train translate`, its weights, or a name of weights."""
    out: Path
    """The slide to write; its folder exists."""
    reverse: bool = False
    """Translate from the target stain to the source stain."""
    mpp: PixelSize | None = None
    """µm per pixel to translate at; None is as trained."""
    slide_mpp: PixelSize | None = None
    """µm per full-resolution pixel, where the file is wrong or does not say."""
    sharpen: Path | None = None
    """A run of `train sharpen` to sharpen the result with."""
    glass: bool = False
    """Translate glass too; otherwise it becomes white."""
    format: SlideFormatChoice | None = None
    """The layout; None goes by the name of `out`."""
    compression: CompressionChoice | None = None
    """How to store tiles; None is JPEG for RGB in TIFF and lossless otherwise."""
    quality: Annotated[int, Within(1, 100)] = 85
    """Quality of JPEG, 1 to 100."""
    device: DeviceChoice = "auto"
    """Where to compute."""
    precision: PrecisionChoice = "32"
    """Bits of the network's numbers; fewer are faster and change a few grey levels."""
    tile_px: Annotated[int | None, Within(16, 16384)] = None
    """Side of the tiles shown to the network, in pixels; None chooses, and halves when memory
    runs out."""
    seed: Seed = 0
    """Draws the tiles whose statistics stand for the slide's."""
    overwrite: bool = False
    """Replace an existing file at `out`."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def run(
        self, progress: Progress = ignore_progress, note: Note = ignore_note
    ) -> TranslateOutcome:
        """Write the translated slide.

        Raises `InputError` for bad input and an output that must not be written.
        """
        from stainbridge.learn.named_weights import find_weights
        from stainbridge.learn.weights import choose_weights_file
        from stainbridge.translation.inference.inference import halve_until_it_fits
        from stainbridge.translation.inference.model import read_model
        from stainbridge.translation.inference.tiling import least_tile, usual_tile
        from stainbridge.translation.sharpening.sharpen import read_sharpening

        began = time.perf_counter()
        inputs = Inputs(files=(self.slide,), runs=(self.model, self.sharpen))
        weights = find_weights(str(self.model))
        sharpener = None if self.sharpen is None else find_weights(str(self.sharpen))
        files = {
            "slide": self.slide,
            "model": choose_weights_file(weights),
            "sharpen": None if sharpener is None else choose_weights_file(sharpener),
        }
        digest = digest_job(self, files)
        is_done = not self.overwrite and came_of(self.out, digest)
        check_output_file(self.out, inputs, overwrite=self.overwrite or is_done, may_be_zarr=True)
        check_picture_ending(self.out, self.format)
        check_tiles_folder(self.out)
        note_few_steps((self.model, self.sharpen), note)
        model = read_model(weights)
        model = model.reverse() if self.reverse else model
        if is_done:
            remove_leftovers(self.out)
            note(f"already done: {self.out}; add --overwrite to translate again")
            return TranslateOutcome(self.out, model.target, time.perf_counter() - began)
        sharpening = None if sharpener is None else read_sharpening(sharpener)
        attempt = partial(self._attempt, digest, model, sharpening, progress, note)
        largest_px = self.tile_px or usual_tile(model.generator.reach, model.period)
        with (
            claim_file(self.out, inputs, overwrite=self.overwrite, may_be_zarr=True),
            keep_finished_tiles(self.out, note),
        ):
            halve_until_it_fits(largest_px, least_tile(model.period), attempt, note)
        return TranslateOutcome(self.out, model.target, time.perf_counter() - began)

    def _attempt(
        self,
        digest: str,
        model: Model,
        sharpening: Sharpening | None,
        progress: Progress,
        note: Note,
        tile_px: int,
    ) -> None:
        """Write the slide with tiles of this size."""
        from stainbridge.translation.inference.apply import ApplyConfig

        progress("looking at the slide", 0.0)
        config = ApplyConfig(tile_px, self.device, self.precision, self.mpp, self.glass, self.seed)
        with self._open_translated(model, sharpening, config, note) as translated:
            write_picture(
                translated,
                self.out,
                self.format or format_of_name(self.out),
                digest,
                compression=self.compression,
                quality=self.quality,
                stage="translating",
                progress=progress,
            )

    def _open_translated(
        self, model: Model, sharpening: Sharpening | None, config: ApplyConfig, note: Note
    ) -> Slide:
        """Open the translated slide, sharpened where wanted; closing it closes the file."""
        from stainbridge.slides.open import open_slide
        from stainbridge.translation.inference.apply import tile_key, translate_slide
        from stainbridge.translation.inference.tile_store import TileStore
        from stainbridge.translation.sharpening.sharpen import sharpen_slide

        folder = tiles_folder(self.out)
        source = open_slide(self.slide, mpp=self.slide_mpp)
        with ExitStack() as opened:
            opened.enter_context(source)
            plan = tile_key(
                config, self.slide, model.path, target=model.target, slide_mpp=self.slide_mpp
            )
            open_store = partial(TileStore.open, folder / TRANSLATED, plan)
            plain = translate_slide(source, model, config, note, open_store)
            result: Slide = plain
            if sharpening is not None:
                plan = {**plan, "sharpening": tile_key(config, sharpening.path)}
                open_store = partial(TileStore.open, folder / SHARPENED, plan)
                result = sharpen_slide(plain, sharpening, config, note, plain.tissue, open_store)
            opened.pop_all()  # nothing failed: the slide is the caller's to close
            return result


def format_of_name(out: Path) -> SlideFormatChoice:
    """Return the layout that the name of an output asks for."""
    if out.suffix.lower() == ZARR:
        return "ome-zarr"
    return "ome-tiff" if ".ome." in out.name else "tiff"
