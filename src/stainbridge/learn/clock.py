"""The clock of a training: means and duration of the steps since the last row of the log."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class StepClock:
    """Sums of the numbers of steps, and when the first of them began."""

    steps: int = 0
    """Steps since the last row, those before a resumption included."""
    sums: dict[str, float] = field(default_factory=dict)
    """Sum of each number over these steps."""
    timed_steps: int = 0
    """Steps that this process has made since."""
    began_s: float = field(default_factory=time.perf_counter)
    """When the first of these began, in seconds of `time.perf_counter`."""

    def add(self, numbers: Mapping[str, float]) -> None:
        """Add the numbers of a step that has ended."""
        self.steps += 1
        self.timed_steps += 1
        for name, number in numbers.items():
            self.sums[name] = self.sums.get(name, 0.0) + number

    def means(self) -> dict[str, float]:
        """Return the mean of each number, and the mean duration of a step as `step_s`."""
        means = {name: total / self.steps for name, total in self.sums.items()}
        seconds = time.perf_counter() - self.began_s
        return {**means, "step_s": seconds / max(1, self.timed_steps)}
