"""What a cohort runs: tasks that fill a folder, and what becomes of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

#: How a task ended: its result is of use, of use with care, or there is none.
TaskStatus: TypeAlias = Literal["ok", "fallback", "failed"]
#: Why there is no result. `registration`: the slides could not be aligned. `input`: a file cannot
#: be used. `time`, `memory`: a limit was reached. `killed`: something else ended the process.
#: `error`: a bug of ours. Empty: there is a result.
FailureKind: TypeAlias = Literal["", "registration", "input", "time", "memory", "killed", "error"]
#: Failures that another attempt may end differently.
TRANSIENT: tuple[FailureKind, ...] = ("time", "memory", "killed", "error")


@dataclass(frozen=True)
class TaskResult:
    """What a task found out; the same bytes on every run."""

    status: TaskStatus
    """Whether the result is of use."""
    reason: str = ""
    """Why the status is not "ok"."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Numbers of the result by their column of the table, as JSON values."""
    notes: tuple[str, ...] = ()
    """Warnings for people."""


class Task(Protocol):
    """A picklable piece of work that fills a folder of its own."""

    @property
    def id(self) -> str:
        """What tells the task from others; the name of its folder."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Tasks that are finished before this one begins, by their ids."""

    def make_key(self) -> str:
        """Return a hash of everything that the result depends on."""

    def run(self, folder: Path) -> TaskResult:
        """Fill the folder, which is empty, and return what was found out.

        A result that is of no use is a result too. Raises `InputError` for files that cannot be
        used.
        """


@dataclass(frozen=True)
class Finished:
    """A task that is done, as its marker says; the same bytes on every run."""

    id: str
    """The task."""
    key: str
    """What its result depends on, as a hash."""
    status: TaskStatus
    """Whether the result is of use."""
    kind: FailureKind
    """Why there is none; empty where there is one."""
    reason: str
    """The same in words."""
    facts: dict[str, Any]
    """Numbers of the result by their column of the table."""
    notes: tuple[str, ...] = ()
    """Warnings for people."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Finished:
        """Return what `to_json` described; raise `KeyError` or `TypeError` for anything else."""
        return cls(
            id=values["id"],
            key=values["key"],
            status=values["status"],
            kind=values["kind"],
            reason=values["reason"],
            facts=dict(values["facts"]),
            notes=tuple(values["notes"]),
        )


@dataclass(frozen=True)
class Times:
    """What a task took; another number on every run."""

    seconds: float
    """How long the last attempt took."""
    cpu_s: float
    """Processor seconds of the last attempt."""
    peak_mb: float
    """The most memory that its process was seen to hold."""
    attempts: int
    """How often it was tried."""
    host: str
    """The machine."""
