"""How fast an optimiser learns, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from stainbridge.ranges import MAX_STEPS, Rate, Within, check_ranges


@dataclass(frozen=True)
class AdamConfig:
    """Adam with a learning rate that is steady at first and then falls linearly to nothing."""

    rate: Rate = 2e-4
    """Learning rate of the steady steps."""
    betas: Annotated[tuple[float, float], Within(0, 1, below=True)] = (0.5, 0.999)
    """Decay of the running means of the gradient and of its square."""
    steady_steps: Annotated[int, Within(0, MAX_STEPS)] = 50_000
    """Steps at the full rate."""
    decay_steps: Annotated[int, Within(0, MAX_STEPS)] = 50_000
    """Steps over which the rate falls to nothing. With 0 it never falls."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def rate_factor(self, step: int) -> float:
        """Return what the rate is multiplied by at `step`."""
        if not self.decay_steps:
            return 1.0
        return max(0.0, 1 - max(0, step - self.steady_steps) / self.decay_steps)

    def fit_to_steps(self, steps: int) -> AdamConfig:
        """Return the same schedule, stretched or shortened to end after `steps`.

        A rate that never falls stays as it is.
        """
        if not self.decay_steps:
            return self
        decay = max(1, round(steps * self.decay_steps / (self.steady_steps + self.decay_steps)))
        return replace(self, steady_steps=steps - decay, decay_steps=decay)
