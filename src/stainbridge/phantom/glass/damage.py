"""What happens to a section on its way onto the glass: pieces go missing, others come along."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine, Transform
from stainbridge.phantom.space.crop import BoxUm, FloatArray
from stainbridge.phantom.space.deformation import DeformationConfig, compute_placement_matrix
from stainbridge.phantom.space.randomness import derive_key
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.types import Points

#: Harmonics of a hole's rim: waves around it, and their amplitude as a share of its radius.
_HOLE_HARMONICS = ((1, 0.15), (2, 0.2), (3, 0.12), (7, 0.05), (17, 0.02))
#: The edges of gaps and folds are at least this wide in µm.
_MIN_EDGE_UM = 0.8


@dataclass(frozen=True)
class Hole:
    """A ragged disc that is missing from a section.

    Raises `InputError` for a radius that is not positive.
    """

    centre_um: tuple[float, float]
    """The centre on the slide, (x, y)."""
    radius_um: float
    """About the radius."""
    seed: int = 0
    """Seed of the rim's shape."""

    def __post_init__(self) -> None:
        if not self.radius_um > 0:
            raise InputError("a hole needs a radius", got=self.radius_um)

    @property
    def box_um(self) -> BoxUm:
        """A box around the hole."""
        reach = 1.6 * self.radius_um
        return np.subtract(self.centre_um, reach), np.add(self.centre_um, reach)

    def rim_distance_um(self, points_um: Points) -> FloatArray:
        """Return signed distances, (N,), of points (N, 2) to the rim, negative inside the hole."""
        dx, dy = (np.asarray(points_um) - self.centre_um).T
        angle = np.arctan2(dy, dx)
        rng = np.random.default_rng(derive_key(self.seed, "hole"))
        rim = np.full(len(dx), self.radius_um)
        for waves, amplitude in _HOLE_HARMONICS:
            wave = np.sin(waves * angle + rng.uniform(0, 2 * np.pi))
            rim += self.radius_um * amplitude * wave
        return np.asarray(np.hypot(dx, dy) - rim)


@dataclass(frozen=True)
class ExtraPiece:
    """Other tissue on the same slide, such as control tissue or a floating scrap."""

    section: StainedSection
    """The section of the other tissue."""
    centre_um: tuple[float, float]
    """Where its middle lies on the slide, (x, y)."""
    rotation_deg: float = 0.0
    """Rotation about its middle in degrees."""

    @property
    def box_um(self) -> BoxUm:
        """A box around the piece."""
        half = 0.75 * max(self.section.tissue.width_um, self.section.tissue.height_um)
        return np.subtract(self.centre_um, half), np.add(self.centre_um, half)

    def build_tissue_from_slide(self, tissue: Frame, slide: Frame) -> Transform:
        """Return the transform from slide points to points of the piece's own tissue space."""
        shift = (np.array(self.centre_um) - slide.centre_um) / min(tissue.size_um)
        config = DeformationConfig(
            rotation_deg=self.rotation_deg, shift=(float(shift[0]), float(shift[1]))
        )
        matrix = compute_placement_matrix(config, tissue, slide)
        return Affine(matrix, tissue.space, slide.space).inverse()


def compute_outside_share(distance_um: FloatArray, mpp: float) -> npt.NDArray[np.float32]:
    """Return the share of each pixel outside a rim, given signed distances to it."""
    return np.asarray(np.clip(0.5 + distance_um / max(mpp, _MIN_EDGE_UM), 0, 1), np.float32)
