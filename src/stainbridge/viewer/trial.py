"""A new registration that runs beside the look at the old one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Literal, TypeAlias

from stainbridge.errors import InputError, StainbridgeError
from stainbridge.progress import Progress

Preset: TypeAlias = Literal["fast", "default", "accurate"]
TrialState: TypeAlias = Literal["none", "running", "done", "failed", "stopped"]


@dataclass(frozen=True)
class TrialRequest:
    """A registration from landmarks."""

    fixed: Path
    """The fixed slide."""
    moving: Path
    """The moving slide."""
    fixed_mpp: float | None
    """µm per pixel to take for the fixed slide; None: its file's."""
    moving_mpp: float | None
    """µm per pixel to take for the moving slide; None: its file's."""
    fixed_landmarks: Path
    """Points on the fixed slide."""
    moving_landmarks: Path
    """The same points on the moving slide."""
    preset: Preset
    """How much work to do."""
    out: Path
    """The folder for the result; it does not exist yet."""


#: Runs a registration; it looks at the last argument now and then, and stops when that says so.
#: Raises `StainbridgeError` where there is no result, and `StoppedError` when it was stopped.
RunTrial: TypeAlias = Callable[[TrialRequest, Progress, Callable[[], bool]], None]


class StoppedError(Exception):
    """A trial was stopped before it ended."""


@dataclass(frozen=True)
class TrialReport:
    """How far a trial is."""

    state: TrialState
    """Whether it runs, and how it ended."""
    stage: str = ""
    """What is being done."""
    fraction: float = 0.0
    """How much is done, 0 to 1."""
    reason: str = ""
    """Why it failed."""


class Trial:
    """One registration in the background; its folder is removed with it.

    `on_done` is called with the result's folder by the trial's own thread.
    """

    def __init__(
        self,
        run: RunTrial,
        make_request: Callable[[Path], TrialRequest],
        on_done: Callable[[Path], None],
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="stainbridge-view-"))
        self._lock = Lock()
        self._stop = Event()
        self._report = TrialReport("running", "starting")
        self._run = run
        self._request = make_request(self._folder)
        self._on_done = on_done
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def report(self) -> TrialReport:
        """How far it is."""
        with self._lock:
            return self._report

    @property
    def result(self) -> Path:
        """The folder of its result, when it is done."""
        return self._request.out

    def close(self) -> None:
        """Stop it where it runs, and remove its folder."""
        self._stop.set()
        self._thread.join()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _say(self, report: TrialReport) -> None:
        with self._lock:
            self._report = report

    def _work(self) -> None:
        try:
            self._run(
                self._request,
                lambda stage, fraction: self._say(TrialReport("running", stage, fraction)),
                self._stop.is_set,
            )
        except StoppedError:
            self._say(TrialReport("stopped"))
        except (StainbridgeError, RuntimeError) as error:
            self._say(TrialReport("failed", reason=str(error)))
        else:
            self._on_done(self._request.out)
            self._say(TrialReport("done", fraction=1.0))


def keep_result(new: Path, folder: Path, names: tuple[str, ...]) -> None:
    """Replace the files of a result by those of a new one; the old ones go to `replaced/N`.

    `names` are the files of a result, the first the record of the others. Files that the new result
    lacks are moved away too. Raises `InputError` where that cannot be written.
    """
    try:
        number = 1
        while (folder / "replaced" / str(number)).exists():
            number += 1
        former = folder / "replaced" / str(number)
        former.mkdir(parents=True)
        for name in names:
            if (folder / name).exists():
                (folder / name).replace(former / name)
        for name in reversed(names):
            if (new / name).exists():
                shutil.copyfile(new / name, folder / f".{name}.partial")
                (folder / f".{name}.partial").replace(folder / name)
    except OSError as error:
        raise InputError(f"cannot write there: {error.strerror}", where=folder) from error
