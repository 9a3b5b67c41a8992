"""What every method is, and what it returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from stainbridge.geometry.transform import Transform
from stainbridge.slides.slide import Slide


@dataclass(frozen=True, eq=False)
class Alignment:
    """The result of a method on one pair of slides."""

    transform: Transform | None
    """`moving_from_fixed`; None where the method gave up."""
    status: str = "ok"
    """`ok`, `fallback` for a result that the method itself doubts, or `failed`."""
    reason: str = ""
    """Why it is not `ok`, in one line."""
    predicted_rtre: float | None = None
    """The median rTRE that the method expects of its result."""
    seconds: float | None = None
    """Wall time; only of a method that runs in a process of its own."""
    cpu_s: float | None = None
    """Processor time; only of a method that runs in a process of its own."""
    peak_mb: float | None = None
    """Largest memory in MiB; only of a method that runs in a process of its own."""


#: Fixed and moving slide in, alignment out. An exception counts as a failure with its message as
#: the reason.
Align: TypeAlias = Callable[[Slide, Slide], Alignment]


def fail(reason: str) -> Alignment:
    """Return the alignment of a method that found nothing."""
    return Alignment(None, "failed", reason)


def need_nothing() -> None:
    """Check nothing: what the method needs comes with stainbridge."""


@dataclass(frozen=True)
class Method:
    """A registration method that a benchmark can run."""

    name: str
    """What `--methods` calls it."""
    description: str
    """What it is, in one line."""
    load: Callable[[], Align]
    """Imports what the method needs and returns the call that is timed."""
    read_settings: Callable[[], dict[str, Any]] = dict
    """Returns what the result depends on beside the slides."""
    check: Callable[[], None] = need_nothing
    """Raises an `InputError` that says what to install when something is missing."""

    @property
    def settings(self) -> dict[str, Any]:
        """What the result depends on beside the slides: other settings are another method."""
        return self.read_settings()
