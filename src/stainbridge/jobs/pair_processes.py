"""Run jobs of slide pairs in processes of their own, several at a time."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from stainbridge.errors import StainbridgeError
from stainbridge.progress import Note, Progress

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from stainbridge.jobs.pairs import PairsJob, PairsOutcome

#: Seconds between two progress reports of a process.
REPORT_S = 0.2
#: Seconds between two looks at whether the parent is still there.
WATCH_S = 1.0


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
    # A process that is forked while threads run may hang.
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(job, sender, os.getpid()), daemon=True)
    process.start()
    sender.close()
    return _Process(job, process, receiver)


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


def _work(job: PairsJob, connection: Connection, parent: int) -> None:
    """Run a job in this process and send what comes of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    _limit_threads(job.threads)
    last = -REPORT_S

    def report(stage: str, fraction: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= REPORT_S:
            last = now
            connection.send(("progress", (stage, fraction)))

    def note(line: str) -> None:
        connection.send(("note", line))

    try:
        answer: tuple[str, Any] = ("outcome", job.run(report, note))
    except StainbridgeError as error:
        answer = ("error", error)
    except Exception:
        answer = ("bug", traceback.format_exc())
    connection.send(answer)
    connection.close()


def _watch(parent: int) -> None:
    """End this process when its parent is gone, so that a killed run leaves nothing running."""
    while os.getppid() == parent:
        time.sleep(WATCH_S)
    os._exit(1)


def _limit_threads(threads: int) -> None:
    """Set how many threads the libraries of this process take: others share the cores."""
    import cv2
    import torch

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
