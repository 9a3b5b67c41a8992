"""Run one task in its own process until it ends, and publish what came of it."""

from __future__ import annotations

import pickle
import platform
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from stainbridge.cohort.folder import CohortFolder
from stainbridge.cohort.options import Limits
from stainbridge.cohort.running.process import Ending, TaskProcess
from stainbridge.cohort.task import TRANSIENT, FailureKind, Finished, Task, TaskStatus, Times


@dataclass(frozen=True)
class TaskRequest:
    """A task on its way to a worker."""

    id: str
    """The task."""
    key: str
    """What its result depends on, as a hash."""
    packed: bytes
    """The task itself, pickled: only the process that computes unpacks it."""
    root: Path
    """The folder of the cohort, absolute."""
    limits: Limits
    """What the task may take."""

    @classmethod
    def pack(cls, task: Task, key: str, root: Path, limits: Limits) -> TaskRequest:
        """Return the request for a task."""
        return cls(task.id, key, pickle.dumps(task), root.absolute(), limits)


@dataclass(frozen=True)
class TaskOutcome:
    """What became of a task, as it is told to whoever waits for it."""

    id: str
    """The task."""
    status: TaskStatus
    """Whether the result is of use."""
    kind: FailureKind
    """Why there is none."""
    reason: str
    """The same in words."""
    seconds: float
    """How long the last attempt took."""


def run_request(request: TaskRequest, process: TaskProcess) -> TaskOutcome:
    """Run a task, again where it did not end by itself, and publish what came of it.

    Raises `InputError` where the cohort's folder cannot be written.
    """
    folder = CohortFolder(request.root)
    token = uuid4().hex[:8]
    partial = folder.begin(request.id, request.key, token)
    attempt = 1
    ending = process.run(request.packed, partial, request.limits)
    while ending.kind in TRANSIENT and attempt < request.limits.attempts:
        attempt += 1
        ending = process.run(request.packed, folder.clear(request.id, token), request.limits)
    if ending.kind in ("time", "memory", "killed"):
        folder.clear(request.id, token)  # what a process leaves that is ended is half a result
    times = Times(
        seconds=round(ending.seconds, 3),
        cpu_s=round(ending.cpu_s, 2),
        peak_mb=round(ending.peak_mb, 1),
        attempts=attempt,
        host=platform.node(),
    )
    finished = finish(request, ending)
    folder.publish(finished, times, token)
    return TaskOutcome(request.id, finished.status, ending.kind, ending.reason, ending.seconds)


def publish_lost(request: TaskRequest, reason: str) -> TaskOutcome:
    """Publish that a task was lost with the worker that it ran on."""
    folder = CohortFolder(request.root)
    token = uuid4().hex[:8]
    folder.begin(request.id, request.key, token)
    ending = Ending(None, "killed", reason, 0.0, 0.0, 0.0)
    folder.publish(finish(request, ending), Times(0.0, 0.0, 0.0, 1, ""), token)
    return TaskOutcome(request.id, "failed", "killed", reason, 0.0)


def finish(request: TaskRequest, ending: Ending) -> Finished:
    """Return the marker of a task that has ended."""
    result = ending.result
    return Finished(
        id=request.id,
        key=request.key,
        status="failed" if result is None else result.status,
        kind=ending.kind,
        reason=ending.reason,
        facts={} if result is None else result.facts,
        notes=() if result is None else result.notes,
    )
