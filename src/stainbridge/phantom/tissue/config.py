"""What block of tissue to generate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stainbridge.errors import InputError
from stainbridge.phantom.tissue.organs import Organ, find_organ


@dataclass(frozen=True)
class TissueConfig:
    """A block of tissue, from which sections are cut.

    Raises `InputError` when a side is under 200 µm, `fill` is out of range, or the organ is
    unknown.
    """

    seed: int = 0
    """Seed of everything in the block."""
    width_um: float = 4000.0
    """Width of the area that a section lies in."""
    height_um: float = 4000.0
    """Height of the area that a section lies in."""
    fill: float = 0.8
    """About the share of each side that tissue fills, 0.3 to 0.98."""
    lesion: bool = True
    """Whether the tissue has a lesion, where its organ has one."""
    organ: str = "gland"
    """One of `organs.ORGANS`."""

    def __post_init__(self) -> None:
        if not min(self.width_um, self.height_um) >= 200:
            raise InputError(
                "tissue is too small",
                expected="at least 200 µm",
                got=(self.width_um, self.height_um),
            )
        if not 0.3 <= self.fill <= 0.98:
            raise InputError("fill is out of range", expected="0.3 to 0.98", got=self.fill)
        find_organ(self.organ)

    @property
    def organ_model(self) -> Organ:
        """The structures of the organ."""
        return find_organ(self.organ)

    @property
    def shorter_side_um(self) -> float:
        """The shorter side of the area."""
        return min(self.width_um, self.height_um)

    @property
    def zone_scale_um(self) -> float:
        """The length over which zones of the tissue alternate."""
        return float(np.clip(0.16 * self.shorter_side_um, 120, 1500))
