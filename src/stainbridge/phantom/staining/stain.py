"""What a stain is: dyes, what takes them up, and where the marker sits."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from stainbridge.phantom.tissue.materials import Materials
from stainbridge.types import Plane

Uptake = tuple[float, float, float]  # of the stain's three dyes


@dataclass(frozen=True)
class Dye:
    """A dye and the optical density (r, g, b) of one unit of it, or, of a fluorescent one, its
    display colour.
    """

    name: str
    colour: tuple[float, float, float]

    @property
    def shown(self) -> tuple[int, int, int]:
        """The display colour, 0 to 255 each."""
        red, green, blue = (round(255 * level) for level in self.colour)
        return red, green, blue


@dataclass(frozen=True)
class Stain:
    """A stain of three dyes.

    `uptake` gives how much of each dye a material takes up (absent: none). Nuclei take up `nuclei`
    of the first dye, or, when positive, `positive_nuclei` of the three; `positive` is the share of
    positive nuclei by nucleus class, and `membranes` the third dye on the cell membranes of a
    class. `patchy` is how unevenly the third dye takes, 0 to 1; `weak` how much fainter than the
    strongest the faintest positive nucleus is. A `fluorescent` stain shines.
    """

    name: str
    dyes: tuple[Dye, Dye, Dye]
    uptake: dict[str, Uptake] = field(hash=False)
    nuclei: float
    positive: dict[str, float] = field(hash=False, default_factory=dict)
    positive_nuclei: Uptake = (0.0, 0.0, 0.0)
    membranes: dict[str, float] = field(hash=False, default_factory=dict)
    patchy: float = 0.0
    weak: float = 0.0
    fluorescent: bool = False

    @property
    def antibody(self) -> bool:
        """Whether a brown or other marker stands on a counterstain, which may then come out faint."""
        return bool(self.positive or self.membranes or self.patchy) and not self.fluorescent


def apply_uptake(stain: Stain, materials: Materials) -> npt.NDArray[np.float32]:
    """Dye amounts outside nuclei, (H, W, 3)."""
    planes = [np.zeros(materials.stroma.shape, np.float32) for _ in range(3)]
    for name, uptake in stain.uptake.items():
        plane: Plane = getattr(materials, name)
        if not plane.any():
            continue
        for dye, share in enumerate(uptake):
            if share:
                planes[dye] += np.float32(share) * plane
    return np.stack(planes, axis=-1)
