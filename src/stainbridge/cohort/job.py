"""Run a cohort: every case of a manifest, once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from stainbridge.cohort.blocks.block import Block
from stainbridge.cohort.blocks.task import ComposeTask
from stainbridge.cohort.folder import CohortFolder
from stainbridge.cohort.options import CaseOptions, Limits, RunSettings
from stainbridge.cohort.outcome import OUTPUTS, CohortOutcome
from stainbridge.cohort.progress import Watch, ignore_progress
from stainbridge.cohort.register_task import RegisterTask
from stainbridge.cohort.running.cluster import LOCAL, check_scheduler
from stainbridge.cohort.task import Finished, Task
from stainbridge.errors import InputError
from stainbridge.jobs.files.outputs import Inputs, check_output_folder
from stainbridge.progress import Note, ignore_note
from stainbridge.ranges import Within, check_ranges


@dataclass(frozen=True)
class PlannedRow:
    """A row that is left to run."""

    number: int
    """Its number, from 1."""
    id: str
    """The case."""
    needs: tuple[str, ...]
    """Cases that are finished before it begins."""


@dataclass(frozen=True, kw_only=True)
class CohortJob:
    """All cases of a manifest as one request.

    An interrupted job is run again and resumes: what is finished is not repeated, and the files
    are the same bytes, but for durations.
    """

    manifest: Path
    """A CSV of cases; see docs/cohort.md."""
    out: Path
    """The folder for the cohort; its parents are made."""
    options: CaseOptions = field(default_factory=CaseOptions)
    """How every case is registered."""
    limits: Limits = field(default_factory=Limits)
    """What a case may take."""
    scheduler: str = LOCAL
    """"local", or the address of a scheduler of Dask."""
    workers: Annotated[int | None, Within(1, 1024)] = None
    """Cases at a time on this machine; None: one a core."""
    retry_failed: bool = False
    """Run cases again that a limit or an error ended."""
    overwrite: bool = False
    """Run cases again whose files or settings have changed since."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def run(self, watch: Watch = ignore_progress, note: Note = ignore_note) -> CohortOutcome:
        """Run every case that is not finished and return what became of all.

        Cases that fail are outcomes too. Raises `InputError` for bad input, before any file is
        written, and where the scheduler is lost.
        """
        from stainbridge.cohort.run import run_tasks

        tasks = self.list_tasks()
        check_scheduler(self.scheduler)
        return run_tasks(tasks, CohortFolder(self.out), self._settings(), watch, note)

    def plan(self) -> tuple[PlannedRow, ...]:
        """Return the rows that are left to run, and write nothing.

        Raises `InputError` as `run` does.
        """
        from stainbridge.cohort.run import plan_run

        tasks = self.list_tasks()
        left = {task.id for task in plan_run(tasks, CohortFolder(self.out), self._settings()).left}
        numbered = enumerate(tasks, 1)
        return tuple(PlannedRow(n, task.id, task.needs) for n, task in numbered if task.id in left)

    def run_row(self, number: int, note: Note = ignore_note) -> Finished:
        """Run one row, counted from 1, in a process of its own, and return what became of it.

        Rows may run at once on any machines that share the folder; `run` gathers them. Raises
        `InputError` as `run` does, for a row that is not there and for one whose rows before it
        are not finished.
        """
        from stainbridge.cohort.run import run_row

        tasks = self.list_tasks()
        if not 1 <= number <= len(tasks):
            raise InputError(
                "no such row", where=self.manifest, expected=f"1 to {len(tasks)}", got=number
            )
        return run_row(tasks[number - 1], CohortFolder(self.out), self._settings(), note)

    def list_blocks(self) -> tuple[Block, ...]:
        """Return the blocks of a manifest of blocks; none of a manifest of pairs."""
        from stainbridge.cohort.blocks.manifest import is_block_manifest, read_blocks

        return read_blocks(self.manifest) if is_block_manifest(self.manifest) else ()

    def _settings(self) -> RunSettings:
        return RunSettings(
            limits=self.limits,
            scheduler=self.scheduler,
            workers=self.workers,
            threads=self.options.threads,
            retry_failed=self.retry_failed,
            overwrite=self.overwrite,
        )

    def list_tasks(self) -> tuple[Task, ...]:
        """Return the tasks; raise `InputError` where they cannot be run."""
        from stainbridge.cohort.manifest import check_ids, read_manifest

        blocks = self.list_blocks()
        cases = (
            tuple(case for block in blocks for case in block.list_cases())
            if blocks
            else read_manifest(self.manifest)
        )
        composed = tuple(
            ComposeTask(block, slide.name, self.options, self.out.absolute())
            for block in blocks
            for slide in block.slides[1:]
        )
        registered = tuple(RegisterTask(case, self.options) for case in cases)
        tasks: tuple[Task, ...] = (*registered, *composed)
        check_ids([task.id for task in tasks], self.manifest)
        registered[0].make_job(self.out).make_config()
        files = [file for case in cases for file in case.list_files().values()]
        inputs = Inputs(files=(self.manifest, self.options.pipeline, *files))
        check_output_folder(self.out, inputs, OUTPUTS)
        return tasks
