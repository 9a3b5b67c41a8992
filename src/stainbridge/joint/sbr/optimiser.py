"""How fast a variant's networks learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from stainbridge.ranges import Rate, Share, Within, check_ranges


@dataclass(frozen=True)
class SliceOptimiserConfig:
    """Adam, whose rate falls linearly over the run.

    Raises `InputError` for a rate that is not positive.
    """

    rate: Rate = 2e-4
    """Learning rate at first."""
    betas: Annotated[tuple[float, float], Within(0, 1, below=True)] = (0.9, 0.999)
    """Decay of the running means of the gradient and of its square."""
    final_share: Share = 0.25
    """Share of the rate that is left at the end."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def rate_factor(self, step: int, steps: int) -> float:
        """Return what the rate is multiplied by at `step` of `steps`."""
        return 1 - (1 - self.final_share) * min(1.0, step / max(1, steps))
