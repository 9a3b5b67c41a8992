"""What a stain is: dyes, what takes them up, and where the marker sits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stainbridge.phantom.tissue.materials import Materials
from stainbridge.types import Plane

Uptake: TypeAlias = tuple[float, float, float]  # amounts of the stain's three dyes
DyeAmounts: TypeAlias = npt.NDArray[np.float32]  # (H, W, 3)


@dataclass(frozen=True)
class Dye:
    """A dye."""

    name: str
    """The name of the dye."""
    colour: tuple[float, float, float]
    """Optical density (r, g, b) of one unit; of a fluorescent dye its display colour in 0..1."""

    @property
    def display_colour(self) -> tuple[int, int, int]:
        """The display colour, 0 to 255 each."""
        red, green, blue = (round(255 * level) for level in self.colour)
        return red, green, blue


@dataclass(frozen=True)
class Stain:
    """A stain of three dyes."""

    name: str
    """The name of the stain."""
    dyes: tuple[Dye, Dye, Dye]
    """The dyes; the first one marks nuclei, the third one is the marker of an immunostain."""
    uptake: dict[str, Uptake] = field(hash=False)
    """How much of each dye a material takes up; materials left out take none."""
    nuclear_uptake: float
    """How much of the first dye nuclei take up."""
    positive_shares: dict[str, float] = field(hash=False, default_factory=dict)
    """The share of positive nuclei by nucleus class."""
    positive_uptake: Uptake = (0.0, 0.0, 0.0)
    """How much of each dye positive nuclei take up."""
    membrane_uptake: dict[str, float] = field(hash=False, default_factory=dict)
    """How much of the third dye cell membranes take up, by nucleus class."""
    patchiness: float = 0.0
    """How unevenly the third dye is taken up, 0 to 1."""
    weakness: float = 0.0
    """How much fainter the faintest positive nucleus is than the strongest, 0 to 1."""
    fluorescent: bool = False
    """Whether the dyes emit light; else they absorb it."""

    @property
    def is_immunostain(self) -> bool:
        """Whether a marker stands on a counterstain; it may then come out faint."""
        has_marker = bool(self.positive_shares or self.membrane_uptake or self.patchiness)
        return has_marker and not self.fluorescent


def apply_uptake(stain: Stain, materials: Materials) -> DyeAmounts:
    """Return the dye amounts outside nuclei, (H, W, 3)."""
    planes = [np.zeros(materials.stroma.shape, np.float32) for _ in range(3)]
    for name, uptake in stain.uptake.items():
        plane: Plane = getattr(materials, name)
        if not plane.any():
            continue
        for dye, amount in enumerate(uptake):
            if amount:
                planes[dye] += np.float32(amount) * plane
    return np.stack(planes, axis=-1)
