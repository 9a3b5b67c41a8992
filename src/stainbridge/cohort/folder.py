"""The folder of a cohort: a marker and a folder for every task, each of which appears whole."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stainbridge.cohort.task import Finished, Times
from stainbridge.errors import InputError
from stainbridge.partial import holds_files, remove_abandoned
from stainbridge.whole import whole_file

#: Folders of results, of markers and of durations: in each one entry for every task.
CASES = "cases"
MARKERS = "markers"
TIMES = "times"
#: What was asked for: the first file that is written.
REQUEST = "cohort.json"
#: What a task whose marker says nothing else is doing.
RUNNING = "running"


@dataclass(frozen=True)
class CohortFolder:
    """A folder that holds a cohort, or will.

    A task that runs has a marker with `running` and a token, and fills a hidden folder. When it
    ends, the folder takes its place and the marker becomes the one of a finished task, in this
    order, each by a rename. Whoever begins a task anew owns it from then on: an earlier attempt
    that still runs somewhere publishes nothing.
    """

    path: Path
    """Where it is."""

    def make(self) -> None:
        """Make the sub-folders; raise `InputError` where they cannot be made."""
        try:
            for name in (CASES, MARKERS, TIMES):
                (self.path / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write there: {error.strerror}", where=self.path) from error

    def case(self, task: str) -> Path:
        """Return the folder of a task's result."""
        return self.path / CASES / task

    def marker(self, task: str) -> Path:
        """Return the file that says what became of a task."""
        return self.path / MARKERS / f"{task}.json"

    def read_request(self) -> dict[str, Any] | None:
        """Return what the cohort is made of; None where that is not recorded."""
        try:
            return _read_json(self.path / REQUEST)
        except (OSError, ValueError):
            return None

    def holds_other_files(self) -> bool:
        """Return whether the folder holds files, and is not that of a cohort.

        Empty folders do not count: workflow managers make them in advance.
        """
        if "is_finished" in (self.read_request() or {}) or not holds_files(self.path):
            return False
        return any(path.is_file() for path in self.path.rglob("*"))

    def read_finished(self, task: str) -> Finished | None:
        """Return what became of a task; None where it has not ended, or its marker is damaged."""
        try:
            return Finished.from_json(_read_json(self.marker(task)))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def read_times(self, task: str) -> Times | None:
        """Return what a task took; None where that is not recorded."""
        try:
            return Times(**_read_json(self._times(task)))
        except (OSError, ValueError, TypeError):
            return None

    def begin(self, task: str, key: str, token: str) -> Path:
        """Mark a task as running and return the empty hidden folder to fill."""
        write_json(self.marker(task), {"id": task, "key": key, "status": RUNNING, "token": token})
        self.remove_partial(task)
        partial = self._partial(task, token)
        partial.mkdir()
        return partial

    def clear(self, task: str, token: str) -> Path:
        """Empty the hidden folder of a task for another attempt and return it."""
        partial = self._partial(task, token)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        return partial

    def owns(self, task: str, token: str) -> bool:
        """Return whether the task is still that of whoever began it with this token."""
        try:
            return bool(_read_json(self.marker(task)).get("token") == token)
        except (OSError, ValueError):
            return False

    def publish(self, finished: Finished, times: Times, token: str) -> bool:
        """Put the hidden folder of a task in its place, and then the marker of its end.

        Returns whether it was done: it is not for a task that someone else has begun since.
        """
        task = finished.id
        partial = self._partial(task, token)
        if not self.owns(task, token):
            shutil.rmtree(partial, ignore_errors=True)
            return False
        if self.case(task).exists():
            shutil.rmtree(self.case(task))
        partial.replace(self.case(task))
        write_json(self._times(task), asdict(times))
        write_json(self.marker(task), finished.to_json())
        return True

    def remove_partial(self, task: str) -> None:
        """Remove what interrupted attempts of a task left."""
        pattern = _partial_pattern(re.escape(task))
        for path in self.path.joinpath(CASES).glob(f".{task}.*"):
            if pattern.fullmatch(path.name):
                shutil.rmtree(path, ignore_errors=True)

    def remove_all_partial(self) -> None:
        """Remove what interrupted attempts of any task left, and half-written markers."""
        for path in self.path.joinpath(CASES).glob(".*.partial"):
            if _partial_pattern(".+").fullmatch(path.name):
                shutil.rmtree(path, ignore_errors=True)
        for folder in (self.path, self.path / MARKERS, self.path / TIMES):
            remove_abandoned(folder)

    def _partial(self, task: str, token: str) -> Path:
        return self.path / CASES / f".{task}.{token}.partial"

    def _times(self, task: str) -> Path:
        return self.path / TIMES / f"{task}.json"


def write_json(path: Path, values: Any) -> None:
    """Write JSON values with sorted keys, whole or not at all."""
    from stainbridge.json_values import to_json_values

    text = json.dumps(to_json_values(values), indent=1, sort_keys=True, allow_nan=False)
    with whole_file(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    values = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise ValueError("no JSON object")
    return values


def _partial_pattern(task: str) -> re.Pattern[str]:
    """Return what names of hidden folders look like; a token is of eight hexadecimal digits."""
    return re.compile(rf"\.{task}\.[0-9a-f]{{8}}\.partial")
