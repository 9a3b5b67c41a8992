"""Measure registration methods beside each other on cases with known landmarks."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from stainbridge.errors import InputError
from stainbridge.jobs.files.claim import claim_folder
from stainbridge.jobs.files.outputs import Inputs, check_output_folder
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress
from stainbridge.ranges import Seed, Within, check_ranges

if TYPE_CHECKING:
    from stainbridge.datasets.layouts import DataSet
    from stainbridge.evaluate.benchmark import BenchmarkPlan
    from stainbridge.evaluate.row import Row
    from stainbridge.evaluate.starts import StartKind
    from stainbridge.evaluate.summary import MethodSummary


@dataclass(frozen=True)
class BenchmarkOutcome:
    """What a benchmark left in its folder."""

    folder: Path
    """The folder of everything."""
    page: Path
    """The page with tables and pictures."""
    runs: int
    """How many runs the folder holds."""
    summaries: tuple[MethodSummary, ...]
    """The scores of each method, by kind of start."""
    seconds: float
    """How long the job took."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkJob:
    """A benchmark as one request.

    Runs are kept in `out`; an interrupted job is resumed by the same job.
    """

    data: tuple[Path, ...]
    """Tables or folders of data sets."""
    out: Path
    """The folder for everything; its parents are made."""
    methods: tuple[str, ...] = ("identity", "fast", "default")
    """Names of methods."""
    starts: tuple[str, ...] = ("given",)
    """Kinds of starts: "given" as the slides are, "hard" rotated and displaced."""
    hard_starts: Annotated[int, Within(1, 10000)] = 12
    """Hard starts for each case."""
    both_directions: bool = False
    """Whether to exchange fixed and moving too."""
    timeout_s: Annotated[float, Within(0, 1e7, above=True)] = 600.0
    """Longest time for each registration, in seconds."""
    workers: Annotated[int, Within(1, 1024)] = 1
    """Runs at a time; one measures times best."""
    seed: Seed = 0
    """What hard starts are drawn from."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def run(
        self, progress: Progress = ignore_progress, note: Note = ignore_note
    ) -> BenchmarkOutcome:
        """Run what `out` does not hold yet, and write tables and the page.

        `note` is told of runs that ended badly. Raises `InputError` for bad input, and for a folder
        that holds anything else.
        """
        from stainbridge.datasets.layouts import read_data_set
        from stainbridge.evaluate.benchmark import run_benchmark
        from stainbridge.evaluate.ledger import read_rows

        began = time.perf_counter()
        check_benchmark_folder(self.out, self.data)
        kinds = self._start_kinds()
        data_sets = name_data_sets([read_data_set(path) for path in self.data])
        with claim_folder(self.out):
            run_benchmark(self._plan(data_sets, kinds), self.out, progress)
            return write_tables(self.out, read_rows(self.out), self._command(kinds), note, began)

    def _start_kinds(self) -> tuple[StartKind, ...]:
        from stainbridge.evaluate.starts import START_KINDS

        for name in self.starts:
            if name not in START_KINDS:
                raise InputError(
                    "no such start",
                    where=f"--starts {','.join(self.starts)}",
                    expected=" or ".join(START_KINDS),
                    got=name,
                )
        return tuple(kind for kind in START_KINDS if kind in self.starts)

    def _plan(self, data_sets: dict[str, DataSet], kinds: tuple[StartKind, ...]) -> BenchmarkPlan:
        from stainbridge.evaluate.benchmark import BenchmarkPlan

        return BenchmarkPlan(
            data_sets={name: data_set.cases for name, data_set in data_sets.items()},
            methods=self.methods,
            kinds=kinds,
            hard_starts=self.hard_starts,
            seed=self.seed,
            timeout_s=self.timeout_s,
            workers=self.workers,
            both_directions=self.both_directions,
            roots={name: data_set.root for name, data_set in data_sets.items()},
        )

    def _command(self, kinds: tuple[StartKind, ...]) -> str:
        """Return the command line that asks for this benchmark, for the page."""
        words = ["stainbridge", "benchmark", "landmarks", *map(str, self.data)]
        words += ["--methods", ",".join(self.methods), "--starts", ",".join(kinds)]
        if "hard" in kinds:
            words += ["--n-starts", str(self.hard_starts), "--seed", str(self.seed)]
        if self.both_directions:
            words.append("--both-directions")
        return shlex.join([*words, "--timeout", f"{self.timeout_s:g}", "--out", str(self.out)])


def check_benchmark_folder(out: Path, inputs: Sequence[Path]) -> None:
    """Raise `InputError` for a folder where a benchmark would replace anything not its own."""
    from stainbridge.evaluate.ledger import RUNS, SETUP
    from stainbridge.evaluate.page import PAGE
    from stainbridge.evaluate.runner import LOGS, PICTURES, POINTS
    from stainbridge.evaluate.tables import RESULTS, SUBMISSIONS

    names = (SETUP, RUNS, RESULTS, PAGE, SUBMISSIONS, PICTURES, POINTS, LOGS)
    check_output_folder(out, Inputs(files=tuple(path for path in inputs if path.is_file())), names)
    if (out / SETUP).is_file():
        return
    for name in names:
        if (out / name).exists() or (out / name).is_symlink():
            raise InputError(
                "exists already, and is not of a benchmark",
                where=out / name,
                remedy="name another folder",
            )


def name_data_sets(data_sets: Sequence[DataSet]) -> dict[str, DataSet]:
    """Return the data sets by their names; raise `InputError` when two have the same."""
    named = {data_set.name: data_set for data_set in data_sets}
    if len(named) < len(data_sets):
        raise InputError(
            "two data sets have the same name",
            expected="folders with names of their own",
            got=", ".join(data_set.name for data_set in data_sets),
        )
    return named


def write_tables(
    out: Path, rows: list[Row], command: str, note: Note, began: float
) -> BenchmarkOutcome:
    """Write tables, submissions and the page of all rows of a folder.

    `began` is when the job began, in seconds of `time.perf_counter`.
    """
    from stainbridge.evaluate.page import PAGE, write_page
    from stainbridge.evaluate.summary import summarise
    from stainbridge.evaluate.tables import RESULTS, write_results, write_submissions

    write_results(out / RESULTS, rows)
    write_submissions(out, rows)
    write_page(out, rows, command)
    _note_bad_endings(rows, note)
    seconds = time.perf_counter() - began
    return BenchmarkOutcome(out, out / PAGE, len(rows), tuple(summarise(rows)), seconds)


def _note_bad_endings(rows: list[Row], note: Note) -> None:
    for status in ("unreadable", "crashed", "timeout", "failed"):
        ended_so = [row for row in rows if row.status == status]
        if ended_so:
            first = ended_so[0]
            count = f"{len(ended_so)} run{'s' if len(ended_so) > 1 else ''}"
            example = f"{first.method} on {first.case}, {first.start}: {first.reason}"
            note(f"{status}: {count}; {example}")
