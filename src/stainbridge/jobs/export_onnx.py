"""Write a translation as an ONNX file."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from stainbridge.jobs.files.claim import claim_file
from stainbridge.jobs.files.endings import ONNX_ENDINGS, check_ending
from stainbridge.jobs.files.outputs import Inputs, check_output_file
from stainbridge.jobs.files.training_steps import note_few_steps
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress
from stainbridge.ranges import Seed, check_ranges

if TYPE_CHECKING:
    from stainbridge.translation.inference.model import Model


@dataclass(frozen=True)
class ExportOnnxOutcome:
    """What was written."""

    written: Path
    """The ONNX file."""
    largest_difference: float
    """Largest difference from the original network, for pixels in -1 to 1."""
    seconds: float
    """How long the job took."""


@dataclass(frozen=True, kw_only=True)
class ExportOnnxJob:
    """The export of a translation as one request; interrupted, it leaves nothing."""

    model: Path
    """A run of `train translate`, its weights, or a name of weights."""
    out: Path
    """The file to write; its folder exists."""
    reverse: bool = False
    """Translate from the target stain to the source stain."""
    statistics: Path | None = None
    """A slide whose statistics the network keeps, as `TranslateJob` does."""
    seed: Seed = 0
    """Draws the tiles of `statistics`."""
    overwrite: bool = False
    """Replace an existing file at `out`."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def run(
        self, progress: Progress = ignore_progress, note: Note = ignore_note
    ) -> ExportOnnxOutcome:
        """Write the network, run the file and compare.

        Raises `InputError` for bad input, an output that must not be written, and a file that does
        not compute what the network does.
        """
        from stainbridge.learn.named_weights import find_weights
        from stainbridge.translation.inference.model import read_model
        from stainbridge.translation.inference.onnx_file import write_onnx
        from stainbridge.translation.inference.slide_statistics import normalises_tiles

        began = time.perf_counter()
        inputs = Inputs(files=(self.statistics,), runs=(self.model,))
        check_output_file(self.out, inputs, overwrite=self.overwrite)
        check_ending(self.out, ONNX_ENDINGS, ".onnx")
        note_few_steps((self.model,), note)
        model = read_model(find_weights(str(self.model)))
        model = model.reverse() if self.reverse else model
        if self.statistics is not None:
            progress("statistics", 0.0)
            model = self._with_statistics(model, self.statistics, note)
        elif normalises_tiles(model.generator):
            note(
                "note: this network normalises each picture by its own statistics;"
                " --statistics SLIDE keeps a slide's"
            )
        progress("writing", 0.5)
        with claim_file(self.out, inputs, overwrite=self.overwrite):
            difference = write_onnx(model, self.out)
        return ExportOnnxOutcome(self.out, difference, time.perf_counter() - began)

    def _with_statistics(self, model: Model, path: Path, note: Note) -> Model:
        from stainbridge.slides.open import open_slide
        from stainbridge.translation.inference.apply import adapt_to_slide

        with open_slide(path) as slide:
            return replace(model, generator=adapt_to_slide(model, slide, self.seed, note))
