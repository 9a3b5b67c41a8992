"""Generate a stack of slices in two stains with their exact truth, as a data set."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from stainbridge.errors import InputError
from stainbridge.jobs.files.result_folder import result_folder
from stainbridge.jobs.phantom import PAIR_BYTES
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress
from stainbridge.ranges import PixelSize, Seed, Within, check_ranges

if TYPE_CHECKING:
    from stainbridge.phantom.slices.config import SliceStackConfig

STACK = "slices.json"
STAINS = "HE,PanCK"
#: Side of the slices in µm unless a pixel size is given: room for a section 1.6 mm across.
EXTENT_UM = 2048.0


@dataclass(frozen=True)
class PhantomSlicesOutcome:
    """What was written."""

    folder: Path
    """The folder of the data set, which the `slices` layout is read from."""
    slices: tuple[dict[str, Any], ...]
    """What is known of each slice, as in slices.json."""
    seconds: float
    """How long the job took."""


@dataclass(frozen=True, kw_only=True)
class PhantomSlicesJob:
    """The generation of a stack of slices as one request.

    Files appear in `out` when the last slice is complete; an interrupted job leaves nothing.
    """

    out: Path
    """The folder for the data set; its parents are made."""
    slices: Annotated[int, Within(1, 100_000)] = 24
    """How many slices."""
    size_px: Annotated[int, Within(1, 16384)] = 256
    """Side of the slices, in pixels."""
    stains: str = STAINS
    """Stains of the fixed and the moving slices, with a comma between."""
    difficulty: str = "real"
    """How unlike the two sections of a slice are: "easy", "real" or "hard"."""
    organ: str = "gland"
    """The kind of tissue; "any" has the seed choose it."""
    mpp: PixelSize | None = None
    """Pixel size in µm; None makes room for a section 1.6 mm across."""
    seed: Seed = 0
    """Seed of the stack."""
    overwrite: bool = False
    """Replace an earlier data set in `out`."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def run(
        self,
        progress: Progress = ignore_progress,
        note: Note = ignore_note,  # noqa: ARG002 - every job takes both callbacks
    ) -> PhantomSlicesOutcome:
        """Generate the slices.

        Raises `InputError` for settings that make no slice and an output that must not be written.
        """
        from stainbridge.json_values import format_json
        from stainbridge.phantom.slices.slice_files import (
            SLICE_FOLDERS,
            describe_slice,
            write_slice_files,
        )
        from stainbridge.phantom.slices.slice_pair import generate_slice
        from stainbridge.slides.writing.limits import check_pixel_bytes

        began = time.perf_counter()
        config = self.stack_config()
        check_pixel_bytes(
            self.slices * PAIR_BYTES * self.size_px**2,
            self.out,
            got=f"{self.slices} slices of {self.size_px} x {self.size_px} pixels",
            remedy="generate fewer or smaller ones",
        )
        rows: list[dict[str, Any]] = []
        with result_folder(
            self.out, overwrite=self.overwrite, outputs=(STACK,), folders=SLICE_FOLDERS
        ) as folder:
            for number in range(self.slices):
                progress(f"slice {number + 1} of {self.slices}", number / self.slices)
                pair = generate_slice(config, number, self.seed)
                write_slice_files(pair, folder)
                rows.append(describe_slice(pair))
            record = {"config": asdict(config), "seed": self.seed, "slices": rows}
            (folder / STACK).write_text(format_json(record) + "\n", encoding="utf-8")
        return PhantomSlicesOutcome(self.out, tuple(rows), time.perf_counter() - began)

    def stack_config(self) -> SliceStackConfig:
        """Return the settings of the stack.

        Raises `InputError` for less than one slice, other than two stains, and settings that make
        no slice.
        """
        from stainbridge.phantom.slices.config import SliceStackConfig

        if self.slices < 1:
            raise InputError("a stack needs slices", expected="at least 1", got=self.slices)
        names = [name.strip() for name in self.stains.split(",") if name.strip()]
        if len(names) != 2:
            raise InputError(
                "slices have two stains", expected="fixed,moving such as HE,PanCK", got=self.stains
            )
        return SliceStackConfig(
            size_px=self.size_px,
            mpp=EXTENT_UM / self.size_px if self.mpp is None else self.mpp,
            fixed_stain=names[0],
            moving_stain=names[1],
            difficulty=self.difficulty,  # type: ignore[arg-type]
            organ=self.organ,
        )
