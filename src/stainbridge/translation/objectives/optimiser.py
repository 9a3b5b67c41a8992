"""How fast an optimiser learns, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stainbridge.errors import InputError


@dataclass(frozen=True)
class AdamConfig:
    """Adam with a learning rate that is steady at first and then falls linearly to nothing."""

    rate: float = 2e-4
    """Learning rate of the steady steps."""
    betas: tuple[float, float] = (0.5, 0.999)
    """Decay of the running means of the gradient and of its square."""
    steady_steps: int = 50_000
    """Steps at the full rate."""
    decay_steps: int = 50_000
    """Steps over which the rate falls to nothing. With 0 it never falls."""

    def __post_init__(self) -> None:
        if self.rate <= 0 or min(self.steady_steps, self.decay_steps) < 0:
            raise InputError("the rate must be positive and steps not negative", got=self)

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
