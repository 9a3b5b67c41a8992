"""Join benchmark folders into one."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from pathlib import Path

from stainbridge.jobs.benchmark import BenchmarkOutcome, check_benchmark_folder, write_tables
from stainbridge.jobs.files.claim import claim_folder
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress


@dataclass(frozen=True, kw_only=True)
class JoinBenchmarksJob:
    """The joining of benchmark folders as one request; runs in `out` are kept."""

    folders: tuple[Path, ...]
    """Folders of benchmarks with the same settings; earlier ones take precedence."""
    out: Path
    """The folder for all of their runs; its parents are made."""

    def run(
        self,
        progress: Progress = ignore_progress,  # noqa: ARG002 - every job takes both callbacks
        note: Note = ignore_note,
    ) -> BenchmarkOutcome:
        """Copy the runs into `out`, and write tables and the page.

        `note` is told of runs that ended badly. Raises `InputError` for folders that do not
        compare, and for a folder that holds anything else.
        """
        from stainbridge.evaluate.join import join

        began = time.perf_counter()
        check_benchmark_folder(self.out, ())
        words = ["stainbridge", "benchmark", "join", *map(str, self.folders)]
        command = shlex.join([*words, "--out", str(self.out)])
        with claim_folder(self.out):
            rows = join(self.folders, self.out)
            return write_tables(self.out, rows, command, note, began)
