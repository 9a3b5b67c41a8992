"""Register paired slices with several methods, and score what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from stainbridge.compute import DeviceChoice
from stainbridge.errors import InputError
from stainbridge.jobs.benchmark import name_data_sets
from stainbridge.jobs.files.claim import claim_folder
from stainbridge.jobs.files.outputs import Inputs, check_output_folder
from stainbridge.jobs.files.training_steps import note_few_steps
from stainbridge.jobs.slice_methods import find_slice_methods
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress
from stainbridge.ranges import Within, check_ranges

if TYPE_CHECKING:
    from stainbridge.evaluate.slices.row import SliceRow
    from stainbridge.evaluate.slices.summary import SliceSummary
    from stainbridge.evaluate.slices.tables import TextTable
    from stainbridge.slides.case import Case


@dataclass(frozen=True)
class EvaluateSlicesOutcome:
    """How well methods register slices."""

    rows: tuple[SliceRow, ...]
    """A row for each case and method."""
    summaries: tuple[SliceSummary, ...]
    """Means over the cases, for each data set and method."""
    tables: tuple[TextTable, ...]
    """The same as tables, for each data set."""
    folder: Path | None
    """The folder of rows, tables and pictures; None where nothing is kept."""


@dataclass(frozen=True, kw_only=True)
class EvaluateSlicesJob:
    """The evaluation of methods on paired slices as one request.

    Rows are kept in `out`; an interrupted job is resumed by the same job.
    """

    data: tuple[Path, ...]
    """Folders of paired slices, or tables of pairs."""
    methods: tuple[str, ...] = ("identity", "affine", "nmi-bspline", "default")
    """Names of methods, and runs of train sbr, train sar or train deformable."""
    out: Path | None = None
    """The folder for everything; its parents are made. None keeps nothing."""
    split: Path | None = None
    """A table of names and parts; None: all slices are registered."""
    part: str = "test"
    """Which part of the split."""
    every: Annotated[int, Within(1, 1_000_000)] = 1
    """Of the slices, one in this many is registered."""
    tune: Annotated[int | None, Within(10, 30)] = None
    """Most iterations of tuning runs of train sar to each pair, as further methods; None: none."""
    network_px: Annotated[int | None, Within(32, 8192)] = None
    """Pixels in which runs see the tissue's longer side; None: as they were trained."""
    device: DeviceChoice = "auto"
    """Where trained networks compute."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def run(
        self, progress: Progress = ignore_progress, note: Note = ignore_note
    ) -> EvaluateSlicesOutcome:
        """Register what `out` does not hold yet, and write tables and pictures.

        `note` is told of methods that failed. Raises `InputError` for bad input, and for a folder
        that holds rows of other settings.
        """
        from stainbridge.compute import choose_device
        from stainbridge.evaluate.slices.run import SlicePlan, run_slices
        from stainbridge.evaluate.slices.summary import summarise_slices
        from stainbridge.evaluate.slices.tables import SUMMARY, make_tables, write_summaries

        self._check_output()
        note_few_steps((name for name in self.methods if Path(name).exists()), note)
        methods = find_slice_methods(
            self.methods, choose_device(self.device), self.tune, self.network_px
        )
        plan = SlicePlan(self._read_cases(), methods)
        with nullcontext() if self.out is None else claim_folder(self.out):
            rows = run_slices(plan, self.out, progress)
            _note_failures(rows, note)
            summaries = summarise_slices(rows)
            if self.out is not None:
                write_summaries(self.out / SUMMARY, summaries)
        tables = tuple(make_tables(summaries))
        return EvaluateSlicesOutcome(tuple(rows), tuple(summaries), tables, self.out)

    def _check_output(self) -> None:
        from stainbridge.evaluate.slices.ledger import ROWS, SETUP
        from stainbridge.evaluate.slices.run import STRIPS
        from stainbridge.evaluate.slices.tables import SUMMARY

        if self.out is None:
            return
        tables = (path for path in self.data if path.is_file())
        runs = tuple(path for path in map(Path, self.methods) if path.exists())
        folders = tuple(path for path in self.data if path.is_dir())
        inputs = Inputs(files=(*tables, self.split), data_folders=folders, runs=runs)
        check_output_folder(self.out, inputs, (ROWS, SETUP, SUMMARY, STRIPS))

    def _read_cases(self) -> dict[str, Sequence[Case]]:
        """Return the chosen cases of each data set."""
        from stainbridge.datasets.layouts import read_data_set

        if self.split is not None and len(self.data) > 1:
            raise InputError(
                "a split is of one data set",
                where=self.split,
                expected="one --data",
                got=len(self.data),
            )
        data_sets = name_data_sets([read_data_set(path) for path in self.data])
        return {name: self._choose_cases(item.cases) for name, item in data_sets.items()}

    def _choose_cases(self, cases: Sequence[Case]) -> Sequence[Case]:
        if self.split is not None:
            from stainbridge.datasets.slice_split import select_part

            cases = select_part(cases, self.split, (self.part,))
        return cases[:: self.every]


def _note_failures(rows: Sequence[SliceRow], note: Note) -> None:
    for method in dict.fromkeys(row.method for row in rows):
        failed = [row for row in rows if (row.method, row.status) == (method, "failed")]
        if failed:
            first = failed[0]
            count = f"{len(failed)} case{'s' if len(failed) > 1 else ''}"
            note(f"{method} failed on {count}; {first.data_set}/{first.case}: {first.reason}")
