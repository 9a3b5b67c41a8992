"""The two callbacks that long work reports to: how far it is, and lines for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

#: Called with the name of a stage and the fraction of the whole that is done, 0 to 1.
Progress: TypeAlias = Callable[[str, float], None]
#: Called with one line for people: a warning, or a note on what is being done.
Note: TypeAlias = Callable[[str], None]


def ignore_progress(stage: str, fraction: float) -> None:
    """Take a progress report and do nothing with it."""


def ignore_note(line: str) -> None:
    """Take a line and do nothing with it."""
