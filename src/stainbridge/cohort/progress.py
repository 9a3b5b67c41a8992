"""How far a cohort is: counts, rate, and what is left."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from stainbridge.cohort.folder import write_json
from stainbridge.cohort.running.attempts import TaskOutcome

#: How far the cohort is, at any moment.
STATUS = "status.json"
#: Seconds between two writings of it.
WRITE_S = 1.0


@dataclass
class CohortProgress:
    """Counts of tasks while a cohort runs."""

    total: int
    """Tasks of the cohort."""
    earlier: int = 0
    """Tasks that were finished before this run."""
    statuses: Counter[str] = field(default_factory=Counter)
    """Ended tasks by status, those of earlier runs too."""
    failures: Counter[str] = field(default_factory=Counter)
    """Failed tasks by the kind of failure."""
    latest: TaskOutcome | None = None
    """The task that ended last."""
    began: float = field(default_factory=time.monotonic)
    """When this run began."""

    @property
    def done(self) -> int:
        """Tasks that have ended."""
        return sum(self.statuses.values())

    @property
    def seconds(self) -> float:
        """How long this run has taken so far."""
        return time.monotonic() - self.began

    @property
    def rate_per_hour(self) -> float:
        """Tasks an hour in this run; 0 before the first has ended."""
        return 3600 * (self.done - self.earlier) / max(self.seconds, 1e-9)

    @property
    def left_s(self) -> float | None:
        """Seconds that the rest will take at this rate; None before the first has ended."""
        rate = self.rate_per_hour
        return 3600 * (self.total - self.done) / rate if rate else None

    def count_earlier(self, status: str, kind: str) -> None:
        """Count a task that was finished before this run."""
        self.earlier += 1
        self._count(status, kind)

    def count(self, outcome: TaskOutcome) -> None:
        """Count a task that has ended."""
        self.latest = outcome
        self._count(outcome.status, outcome.kind)

    def _count(self, status: str, kind: str) -> None:
        self.statuses[status] += 1
        if kind:
            self.failures[kind] += 1

    def to_json(self, state: str) -> dict[str, Any]:
        """Return the counts as JSON values; `state` says what the run is doing."""
        return {
            "state": state,
            "total": self.total,
            "done": self.done,
            "ok": self.statuses["ok"],
            "fallback": self.statuses["fallback"],
            "failed": self.statuses["failed"],
            "failures": dict(self.failures),
            "rate_per_hour": round(self.rate_per_hour, 1),
            "seconds": round(self.seconds, 1),
            "seconds_left": None if self.left_s is None else round(self.left_s),
        }


#: Called with the counts whenever a task has ended.
Watch: TypeAlias = Callable[[CohortProgress], None]


def ignore_progress(progress: CohortProgress) -> None:
    """Take the counts and do nothing with them."""


class StatusFile:
    """The file that says how far a cohort is; it is not written more often than once a second."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / STATUS
        self._written = -WRITE_S

    def write(self, progress: CohortProgress, state: str, *, now: bool = False) -> None:
        """Write the counts, unless they were written a moment ago."""
        if now or time.monotonic() - self._written >= WRITE_S:
            self._written = time.monotonic()
            write_json(self._path, progress.to_json(state))
