"""What happens to a section on its way onto the glass: pieces go missing, other pieces come along."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine, Transform
from stainbridge.phantom.space.deformation import DeformationConfig, compute_placement_matrix
from stainbridge.phantom.space.crop import BoxUm, FloatArray
from stainbridge.phantom.space.randomness import derive_key
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.types import Points


@dataclass(frozen=True)
class Hole:
    """A piece that is missing: a ragged disc about `centre_um` (x, y) of the slide."""

    centre_um: tuple[float, float]
    radius_um: float
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.radius_um > 0:
            raise InputError("a hole needs a radius", got=self.radius_um)

    @property
    def box_um(self) -> BoxUm:
        """A box around it."""
        return np.subtract(self.centre_um, 1.6 * self.radius_um), np.add(
            self.centre_um, 1.6 * self.radius_um
        )

    def rim_distance_um(self, points_um: Points) -> FloatArray:
        """Signed distance of points (N, 2) to its rim, negative inside."""
        dx, dy = (np.asarray(points_um) - self.centre_um).T
        angle = np.arctan2(dy, dx)
        rng = np.random.default_rng(derive_key(self.seed, "hole"))
        rim = np.full(len(dx), self.radius_um)
        for wave, height in ((1, 0.15), (2, 0.2), (3, 0.12), (7, 0.05), (17, 0.02)):
            rim += self.radius_um * height * np.sin(wave * angle + rng.uniform(0, 2 * np.pi))
        return np.asarray(np.hypot(dx, dy) - rim)


@dataclass(frozen=True)
class ExtraPiece:
    """Other tissue on the same slide, turned by `rotation_deg` about its middle, which lies at
    `centre_um`.
    """

    section: StainedSection
    centre_um: tuple[float, float]
    rotation_deg: float = 0.0

    @property
    def box_um(self) -> BoxUm:
        """A box around it."""
        half = 0.75 * max(self.section.tissue.width_um, self.section.tissue.height_um)
        return np.subtract(self.centre_um, half), np.add(self.centre_um, half)

    def pull(self, tissue: Frame, slide: Frame) -> Transform:
        """Slide points to points of the piece's own tissue space."""
        shift = (np.array(self.centre_um) - slide.centre_um) / min(tissue.size_um)
        config = DeformationConfig(
            rotation_deg=self.rotation_deg, shift=(float(shift[0]), float(shift[1]))
        )
        return Affine(compute_placement_matrix(config, tissue, slide), tissue.space, slide.space).inverse()


def compute_outside_share(distance_um: FloatArray, mpp: float) -> npt.NDArray[np.float32]:
    """The share of each pixel outside a rim, from the signed distance to it."""
    return np.asarray(np.clip(0.5 + distance_um / max(mpp, 0.8), 0, 1), np.float32)
