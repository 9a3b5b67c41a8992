"""Run jobs of slide pairs in processes of their own, several at a time."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from stainbridge.jobs.job_process import launch_job
from stainbridge.progress import Note, Progress

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from stainbridge.jobs.pairs import PairsJob, PairsOutcome


@dataclass(eq=False)
class _Process:
    job: PairsJob
    process: SpawnProcess
    connection: Connection
    stage: str = ""
    fraction: float = 0.0
    answer: tuple[str, Any] | None = field(default=None)


def run_in_processes(
    jobs: Sequence[PairsJob],
    workers: int,
    progress: Progress,
    note: Note,
    on_outcome: Callable[[PairsOutcome], None],
) -> None:
    """Run jobs, each in a new process, up to `workers` at a time.

    Each outcome is handed to `on_outcome` as it comes; a process that is killed gives a failed one.
    An error of a job ends the others and is raised here.
    """
    waiting = list(jobs)
    running: list[_Process] = []
    done = 0
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                running.append(_launch(waiting.pop(0)))
            for item in _receive(running, note):
                running.remove(item)
                on_outcome(_finish(item))
                done += 1
            if running:
                fraction = done + sum(item.fraction for item in running)
                progress(f"{done}/{len(jobs)} {running[0].stage}", fraction / len(jobs))
    finally:
        for item in running:
            item.process.kill()
            item.process.join()


def _launch(job: PairsJob) -> _Process:
    return _Process(job, *launch_job(job, job.threads))


def _receive(running: Sequence[_Process], note: Note) -> list[_Process]:
    """Take what the processes say; return those that have ended."""
    connections = {item.connection: item for item in running}
    ended = []
    for connection in wait(list(connections), timeout=1.0):
        item = connections[connection]  # type: ignore[index]
        try:
            kind, value = item.connection.recv()
        except (EOFError, OSError):  # it has ended, or was killed in the middle of a message
            ended.append(item)
            continue
        if kind == "progress":
            item.stage, item.fraction = value
        elif kind == "note":
            note(value)
        else:
            item.answer = kind, value
    return ended


def _finish(item: _Process) -> PairsOutcome:
    """Return the outcome of a process that has ended; raise the error that it ended with.

    What a killed one had cut is removed: no row names these pictures.
    """
    from stainbridge.jobs.pairs import PairsOutcome

    item.process.join()
    item.connection.close()
    if item.answer is None:
        item.job.remove_outputs()
        code = item.process.exitcode or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        return PairsOutcome(item.job.pair.id, "failed", f"its process {how}", 0, 0)
    kind, value = item.answer
    if kind == "error":
        raise value
    if kind == "bug":
        raise RuntimeError(f"{item.job.pair.id}: {value}")
    outcome: PairsOutcome = value
    return outcome
