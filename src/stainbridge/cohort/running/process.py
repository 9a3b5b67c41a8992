"""A process that runs tasks one after the other, and that can be ended at any moment.

A reader that hangs, a task that eats all memory and a crash of a library end this process and
nothing else. The next task gets a new one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import IO

from stainbridge.cohort.options import Limits
from stainbridge.cohort.task import FailureKind, TaskResult
from stainbridge.errors import StainbridgeError

#: Seconds between two looks at the time and the memory that a task takes.
LOOK_S = 0.2
#: Bytes of one megabyte.
MB = 1e6
#: Megabytes of one gigabyte.
MB_PER_GB = 1000
#: What the libraries of a process read for how many threads to start.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
    "VIPS_CONCURRENCY",
)
#: The kernel ends a process so when the machine's memory runs out.
KILLED_BY_KERNEL = signal.SIGKILL


@dataclass(frozen=True)
class Ending:
    """How one attempt of a task ended."""

    result: TaskResult | None
    """What the task found out; None where it did not end by itself."""
    kind: FailureKind
    """Why there is no result, or none of use; empty otherwise."""
    reason: str
    """The same in words."""
    seconds: float
    """How long it took."""
    peak_mb: float
    """The most memory that the process was seen to hold."""
    cpu_s: float
    """Processor seconds that the process was seen to use."""


@dataclass(frozen=True)
class Usage:
    """What a process holds and has used."""

    memory_mb: float = 0.0
    """The memory that it holds now."""
    cpu_s: float = 0.0
    """Processor seconds since it began."""


class ProcessClosedError(StainbridgeError):
    """The process was closed while a task ran; nothing is known of the task."""


class TaskProcess:
    """A process that starts with the first task and lives until a task has to be ended."""

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._errors: IO[bytes] | None = None
        self._is_closed = False

    def run(self, packed: bytes, folder: Path, limits: Limits) -> Ending:
        """Run a pickled task, and end the process where the task reaches a limit.

        Raises `ProcessClosedError` where `close` is called before the task has ended.
        """
        connection = self._start()
        began = time.monotonic()
        first = last = self._measure_usage() or Usage()
        peak_mb = 0.0

        def end(kind: FailureKind, reason: str, result: TaskResult | None = None) -> Ending:
            used_s = last.cpu_s - first.cpu_s
            return Ending(result, kind, reason, time.monotonic() - began, peak_mb, used_s)

        try:
            connection.send((packed, folder))
            while True:
                has_answer = connection.poll(LOOK_S)
                last = self._measure_usage() or last
                peak_mb = max(peak_mb, last.memory_mb)
                if has_answer:
                    kind, value = connection.recv()
                    if kind == "result":
                        return end(*_judge(value), value)
                    return end(kind, value)
                if time.monotonic() - began > limits.time_s:
                    self.end()
                    return end("time", f"ran longer than its limit of {limits.time_s:g} s")
                if peak_mb > MB_PER_GB * limits.memory_gb:
                    self.end()
                    return end("memory", f"used more than its limit of {limits.memory_gb:g} GB")
        except (EOFError, OSError):  # the process has ended, or was killed amid a message
            if self._is_closed:
                raise ProcessClosedError from None
            return end("killed", self._explain_end())

    def close(self) -> None:
        """End the process for good, from any thread."""
        self._is_closed = True
        self.end()

    def end(self) -> None:
        """End the process at once; what it was doing is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._connection is not None:
            self._connection.close()
        if self._errors is not None:
            self._errors.close()
        self._process = self._connection = self._errors = None

    def _start(self) -> Connection:
        """Return the connection to the process, which is started if need be."""
        if self._process is not None and self._process.poll() is None and self._connection:
            return self._connection
        if self._is_closed:
            raise ProcessClosedError
        self.end()
        ours, theirs = Pipe()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        # A process that is forked while threads run may hang, and a daemon of multiprocessing
        # may not have processes of its own: this is a new interpreter.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "stainbridge.cohort.running.child", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            env=_environment(self._threads),
            start_new_session=True,  # Ctrl-C is for the parent, which ends this process
        )
        theirs.close()
        self._connection = ours
        return ours

    def _measure_usage(self) -> Usage | None:
        """Return what the process holds and has used; None where it has ended."""
        import psutil

        if self._process is None:
            return None
        try:
            process = psutil.Process(self._process.pid)
            times = process.cpu_times()
            return Usage(float(process.memory_info().rss) / MB, times.user + times.system)
        except psutil.Error:  # it has ended
            return None

    def _explain_end(self) -> str:
        """Return why the process is gone, in words, and forget it."""
        if self._process is None:
            return "its process was ended"
        code = self._process.wait()
        reason = _explain_code(code)
        last = "" if self._errors is None else _read_last_line(self._errors)
        self.end()
        return f"{reason}: {last}" if last and code > 0 else reason


def _judge(result: TaskResult) -> tuple[FailureKind, str]:
    """Return the kind of failure that a result is, with its reason."""
    return ("registration" if result.status == "failed" else ""), result.reason


def _explain_code(code: int) -> str:
    if code >= 0:
        return f"its process ended with exit code {code}"
    name = signal.Signals(-code).name
    reason = f"its process was killed by {name}"
    if -code == KILLED_BY_KERNEL:
        return f"{reason}, as the kernel does when memory runs out"
    return reason


def _read_last_line(file: IO[bytes]) -> str:
    file.seek(0)
    lines = file.read().decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _environment(threads: int) -> dict[str, str]:
    """Return the environment of a process that imports what this one can."""
    counts = dict.fromkeys(THREAD_VARIABLES, str(threads))
    path = os.pathsep.join(filter(None, sys.path))
    return {**os.environ, **counts, "OMP_WAIT_POLICY": "passive", "PYTHONPATH": path}
