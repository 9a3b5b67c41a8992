"""One job in a process of its own, which says how far it is and what comes of it."""

from __future__ import annotations

import os
import signal
import time
import traceback
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Protocol

from stainbridge.errors import StainbridgeError
from stainbridge.processes import end_with_parent
from stainbridge.progress import Note, Progress

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

#: Seconds between two progress reports of a process.
REPORT_S = 0.2


class Runnable(Protocol):
    """A request that pickles."""

    def run(self, progress: Progress, note: Note) -> Any:
        """Return the outcome."""


def launch_job(job: Runnable, threads: int | None = None) -> tuple[SpawnProcess, Connection]:
    """Start a process that runs `job` on so many threads.

    The connection gives pairs: "progress" and (stage, fraction), "note" and a line, and at last
    "outcome", "error" with a `StainbridgeError`, or "bug" with a traceback. A process that was
    killed ends it without any of these.
    """
    # A process that is forked while threads run may hang.
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    arguments = (job, threads, sender, os.getpid())
    process = context.Process(target=_work, args=arguments, daemon=True)
    process.start()
    sender.close()
    return process, receiver


def _work(job: Runnable, threads: int | None, connection: Connection, parent: int) -> None:
    """Run a job in this process and send what comes of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    end_with_parent(parent)
    if threads is not None:
        _limit_threads(threads)
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


def _limit_threads(threads: int) -> None:
    """Set how many threads the libraries of this process take: others share the cores."""
    import cv2
    import torch

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
