"""A toy network, as its one new file would be: the whole picture shifted by two numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from stainbridge.nn.fields import DeformableNet, Fields, Term


@dataclass(frozen=True)
class ShiftNetConfig:
    """Settings of the toy."""

    kind: Literal["shift"] = "shift"
    """Name of the network in its table."""
    initial_px: float = 0.0
    """Shift of the untrained network along x and y, in pixels."""

    @classmethod
    def preset(cls, name: str) -> ShiftNetConfig:
        """Return the defaults."""
        return cls()


class ShiftNet(DeformableNet):
    """Shifts every picture alike."""

    period = 1
    reach = 0

    def __init__(self, config: ShiftNetConfig) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.full((1, 2, 1, 1), config.initial_px))

    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        """Return the shift at every pixel."""
        displacement = self.shift.expand(len(fixed), 2, *fixed.shape[-2:])
        return Fields(displacement, (Term(displacement),))
