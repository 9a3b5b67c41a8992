"""A count of training steps that is stored with a run's networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class StepCounter(nn.Module):
    """Counts steps up to `horizon`; a module, because a run stores only what its networks hold."""

    ticks: Tensor

    def __init__(self, horizon: int) -> None:
        super().__init__()
        self.horizon = max(1, horizon)
        self.register_buffer("ticks", torch.zeros((), dtype=torch.int64))

    def forward(self) -> float:
        """Return the share of the horizon that has passed, 0 … 1, and count one step more."""
        share = min(1.0, int(self.ticks) / self.horizon)
        self.ticks += 1
        return share
