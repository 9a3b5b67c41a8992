"""Tasks that end in every way that a task can."""

from __future__ import annotations

import ctypes
import hashlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stainbridge.cohort.task import TaskResult
from stainbridge.errors import InputError


@dataclass(frozen=True)
class PlainTask:
    """Writes its words into a file."""

    id: str
    words: str = "tissue"
    needs: tuple[str, ...] = ()

    def make_key(self) -> str:
        return hashlib.sha256(repr(self).encode()).hexdigest()

    def run(self, folder: Path) -> TaskResult:
        (folder / "words.txt").write_text(self.words, encoding="utf-8")
        return TaskResult("ok", "", {"predicted_rtre": 0.001 * len(self.words)})


@dataclass(frozen=True)
class CountedTask(PlainTask):
    """Adds a line to a log elsewhere whenever it runs."""

    log: str = ""

    def run(self, folder: Path) -> TaskResult:
        with Path(self.log).open("a", encoding="utf-8") as file:
            file.write(f"{self.id}\n")
        return super().run(folder)


@dataclass(frozen=True)
class BadTask(PlainTask):
    """Leaves half of a file, and then does what its words say."""

    def run(self, folder: Path) -> TaskResult:
        (folder / "half.txt").write_text("half", encoding="utf-8")
        return ENDS[self.words]()


@dataclass(frozen=True)
class BusyTask(PlainTask):
    """Uses a third of a second of a processor."""

    def run(self, folder: Path) -> TaskResult:
        began = time.process_time()
        while time.process_time() - began < 1 / 3:
            pass
        return super().run(folder)


@dataclass(frozen=True)
class ThreadsTask(PlainTask):
    """Says how many threads the libraries of its process use."""

    def run(self, folder: Path) -> TaskResult:
        import cv2
        import torch

        return TaskResult("ok", "", {"cv2": cv2.getNumThreads(), "torch": torch.get_num_threads()})


@dataclass(frozen=True)
class OnceKilledTask(PlainTask):
    """Is killed when it first runs."""

    flag: str = ""

    def run(self, folder: Path) -> TaskResult:
        if not Path(self.flag).exists():
            Path(self.flag).touch()
            kill_itself()
        assert not list(folder.iterdir())
        return super().run(folder)


def kill_itself() -> TaskResult:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it is killed")


def hang() -> TaskResult:
    time.sleep(600)
    raise AssertionError("it is ended")


def hang_in_a_library() -> TaskResult:
    """Sleep in C and hold Python's lock, as a reader that hangs does."""
    ctypes.PyDLL(None).sleep(600)
    raise AssertionError("it is ended")


def eat_memory() -> TaskResult:
    held = []
    while True:
        held.append(bytearray(20_000_000))
        time.sleep(0.01)


def refuse() -> TaskResult:
    raise InputError("cut short", where="a.svs", remedy="copy it again")


def fail() -> TaskResult:
    return TaskResult("failed", "no tissue found on the fixed slide")


def divide() -> TaskResult:
    raise ZeroDivisionError("a bug")


def leave() -> TaskResult:
    os._exit(7)


ENDS: dict[str, Callable[[], TaskResult]] = {
    "kill": kill_itself,
    "hang": hang,
    "library": hang_in_a_library,
    "memory": eat_memory,
    "refuse": refuse,
    "fail": fail,
    "divide": divide,
    "leave": leave,
}
