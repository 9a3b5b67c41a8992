"""What every method is and returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from stainbridge.geometry.transform import Transform
from stainbridge.slides.slide import Slide


@dataclass(frozen=True, eq=False)
class Alignment:
    """`transform` is `moving_from_fixed`, None where the method gave up; `reason` says why, in one
    line.

    A method that runs in a process of its own measures its `seconds`, `cpu_s` and `peak_mb` itself.
    """

    transform: Transform | None
    status: str = "ok"
    reason: str = ""
    predicted_rtre: float | None = None
    seconds: float | None = None
    cpu_s: float | None = None
    peak_mb: float | None = None


#: Fixed and moving slide in, alignment out. Whatever it raises counts as a failure with that
#: reason.
Align: TypeAlias = Callable[[Slide, Slide], Alignment]


@dataclass(frozen=True)
class Method:
    """A method: `load` imports what it needs and hands out the call that is timed.

    `check` raises an `InputError` that says what to install when something is missing. `settings`
    are what the result depends on beside the slides: a changed setting is another method.
    """

    name: str
    about: str
    load: Callable[[], Align]
    check: Callable[[], None]
    settings: dict[str, Any]


def failed(reason: str) -> Alignment:
    """A method's own word that it found nothing."""
    return Alignment(None, "failed", reason)
