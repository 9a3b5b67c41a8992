"""What block of tissue to generate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from stainbridge.phantom.tissue.organs import Organ, find_organ
from stainbridge.ranges import Within, check_ranges


@dataclass(frozen=True)
class TissueConfig:
    """A block of tissue, from which sections are cut.

    Raises `InputError` when a side is under 200 µm, `fill` is out of range, or the organ is
    unknown.
    """

    seed: Annotated[int, Within(0, 2**63 - 1)] = 0
    """Seed of everything in the block."""
    width_um: Annotated[float, Within(200, 1e6)] = 4000.0
    """Width of the area that a section lies in."""
    height_um: Annotated[float, Within(200, 1e6)] = 4000.0
    """Height of the area that a section lies in."""
    fill: Annotated[float, Within(0.3, 0.98)] = 0.8
    """About the share of each side that tissue fills, 0.3 to 0.98."""
    lesion: bool = True
    """Whether the tissue has a lesion, where its organ has one."""
    organ: str = "gland"
    """One of `organs.ORGANS`."""

    def __post_init__(self) -> None:
        check_ranges(self)
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
