"""How fast a run goes, and what it tells people after a step."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping

from stainbridge.learn.checkpoint import Checkpoint

#: Steps over which the pace is measured: it follows a machine that others use too.
PACE_STEPS = 50


class Pace:
    """When the last steps of this process ended."""

    def __init__(self) -> None:
        self._ends_s = deque([time.monotonic()], PACE_STEPS + 1)

    def add_step(self) -> None:
        """Take a step that has ended."""
        self._ends_s.append(time.monotonic())

    @property
    def steps_per_s(self) -> float:
        """Steps in a second."""
        elapsed_s = self._ends_s[-1] - self._ends_s[0]
        return (len(self._ends_s) - 1) / max(elapsed_s, 1e-9)


def describe_step(
    checkpoint: Checkpoint, steps: int, numbers: Mapping[str, float], pace: Pace
) -> str:
    """Return one line: the step, its losses and other numbers, the best measure, pace, time left.

    `steps` are those of the whole run.
    """
    parts = [f"step {checkpoint.step} of {steps}"]
    parts += [f"{name} {number:.4g}" for name, number in numbers.items()]
    if checkpoint.best is not None:
        parts.append(f"best {checkpoint.best:.4g}")
    rate = pace.steps_per_s
    parts.append(f"{rate:.3g} steps/s" if rate >= 1 else f"{1 / rate:.3g} s a step")
    left = steps - checkpoint.step
    if left > 0:
        parts.append(f"{format_duration(left / rate)} left")
    return ", ".join(parts)


def format_duration(seconds: float) -> str:
    """Return a duration for people, in its two largest units."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"
