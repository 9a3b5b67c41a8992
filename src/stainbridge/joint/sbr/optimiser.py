"""How fast a variant's networks learn."""

from __future__ import annotations

from dataclasses import dataclass

from stainbridge.errors import InputError


@dataclass(frozen=True)
class SliceOptimiserConfig:
    """Adam, whose rate falls linearly over the run.

    Raises `InputError` for a rate that is not positive.
    """

    rate: float = 2e-4
    """Learning rate at first."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay of the running means of the gradient and of its square."""
    final_share: float = 0.25
    """Share of the rate that is left at the end."""

    def __post_init__(self) -> None:
        if self.rate <= 0 or not 0 <= self.final_share <= 1:
            raise InputError("the rate must be positive, final_share 0 to 1", got=self)

    def rate_factor(self, step: int, steps: int) -> float:
        """Return what the rate is multiplied by at `step` of `steps`."""
        return 1 - (1 - self.final_share) * min(1.0, step / max(1, steps))
