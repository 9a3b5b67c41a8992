"""How a section lies on its slide: turned, mirrored, scaled, sheared, shifted, stretched, torn;
exact both ways.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.transform import Affine, Chain, DisplacementField, Transform
from stainbridge.phantom.space.randomness import derive_key, sample_noise
from stainbridge.phantom.space.cut_line import CutLine, GapTransform
from stainbridge.phantom.tissue.zones import interpolate_plane
from stainbridge.types import Matrix, Points

#: Bound on the norm of the elastic displacement's derivative: below 1 the map is one to one
#: everywhere.
MAX_ELASTIC_GRADIENT = 0.5


@dataclass(frozen=True)
class DeformationConfig:
    """Placement of a section. `shift` and `elastic_scale` are shares of the tissue's shorter side.

    `elastic_um` is the root mean square elastic displacement, reduced where it would be too steep
    for its length (`elastic_scale`). Cuts lie in slide space: of folds as the section lies, of
    tears once those are smoothed out. Raises `InputError` for a scale that is not positive or
    negative elastic values.
    """

    rotation_deg: float = 0.0
    flip: bool = False
    scale: float = 1.0
    shear: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    elastic_um: float = 0.0
    elastic_scale: float = 0.25
    tears: tuple[CutLine, ...] = ()
    folds: tuple[CutLine, ...] = ()

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise InputError("scale must be positive", got=self.scale)
        if self.elastic_um < 0 or not 0.05 <= self.elastic_scale <= 2:
            raise InputError(
                "elastic deformation out of range",
                expected="elastic_um >= 0, elastic_scale 0.05 to 2",
                got=(self.elastic_um, self.elastic_scale),
            )


#: The section lies as it was cut.
UNDEFORMED = DeformationConfig()


def build_tissue_from_slide(config: DeformationConfig, tissue: Frame, slide: Frame, seed: int) -> Chain:
    """The map that pulls tissue onto the slide: undo folds and tears, then the placement, then
    displace elastically.
    """
    members: list[Transform] = [GapTransform(fold, slide, opens=True) for fold in config.folds]
    members += [GapTransform(tear, slide, opens=False) for tear in config.tears]
    placed = Affine(compute_placement_matrix(config, tissue, slide), tissue.space, slide.space)
    members.append(placed.inverse())
    if config.elastic_um > 0:
        members.append(sample_elastic_field(config, tissue, seed))
    return Chain(tuple(members))


def build_drawing_transform(config: DeformationConfig, tissue: Frame, slide: Frame, seed: int) -> Chain:
    """`tissue_from_slide` in single precision: enough to draw with, and faster where a tear needs
    every pixel.
    """
    members = build_tissue_from_slide(config, tissue, slide, seed).members
    return Chain(tuple(_Quick(m) if isinstance(m, DisplacementField) else m for m in members))


@dataclass(frozen=True, eq=False)
class _Quick(Transform):
    """A displacement field sampled in single precision."""

    field: DisplacementField

    @property
    def source(self) -> Space:
        """The field's."""
        return self.field.source

    @property
    def target(self) -> Space:
        """The field's."""
        return self.field.target

    def __call__(self, points_um: Points) -> Points:
        """Map (N, 2) points, µm in, µm out."""
        x, y = (self.field.grid.to_px(points_um) - 0.5).astype(np.float32).T
        x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
        shift = [interpolate_plane(plane, x, y) for plane in self.field.displacement]
        return np.asarray(points_um + np.stack(shift, axis=1))

    def inverse(self) -> Transform:
        """The field's own."""
        return self.field.inverse()


def compute_placement_matrix(config: DeformationConfig, tissue: Frame, slide: Frame) -> Matrix:
    """The affine part, tissue µm to slide µm, (3, 3): middle onto middle, plus the shift."""
    angle = np.deg2rad(config.rotation_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    mirror = np.diag([-1.0 if config.flip else 1.0, 1.0])
    linear = config.scale * turn @ np.array([[1.0, config.shear], [0.0, 1.0]]) @ mirror
    middle = np.array(slide.centre_um) + np.array(config.shift) * min(tissue.size_um)
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = middle - linear @ np.array(tissue.centre_um)
    return matrix


def sample_elastic_field(config: DeformationConfig, tissue: Frame, seed: int) -> DisplacementField:
    """A smooth random displacement of tissue space, one to one everywhere by the bound on its
    steepness.
    """
    scale_um = config.elastic_scale * min(tissue.size_um)
    # Many nodes a wave, so that kinks between them are slight; half a tissue beyond the edges, so
    # that the constant continuation lies outside the slide.
    nodes = int(np.ceil(48 * 2 * max(tissue.size_um) / scale_um))
    margin = np.array(tissue.size_um) / 2
    origin = np.array(tissue.origin_um) - margin
    spacing = 2 * max(tissue.size_um) / nodes
    rows, columns = (int(np.ceil(2 * size / spacing)) for size in tissue.size_um[::-1])
    grid = Frame(
        tissue.space, rows, columns, (spacing, spacing), (float(origin[0]), float(origin[1]))
    )
    waves = [
        sample_noise(grid, scale_um, derive_key(seed, "elastic", axis))
        + 0.35 * sample_noise(grid, scale_um / 2.3, derive_key(seed, "ripple", axis))
        for axis in "xy"
    ]
    displacement = np.stack(waves) * (config.elastic_um / np.sqrt(2))
    displacement *= min(1.0, MAX_ELASTIC_GRADIENT / max(bound_gradient(displacement, spacing), 1e-9))
    return DisplacementField(np.asarray(displacement, np.float32), grid, tissue.space, tissue.space)


def bound_gradient(displacement: np.typing.NDArray[np.floating], spacing: float) -> float:
    """An upper bound of the derivative's norm of a bilinearly interpolated (2, H, W) displacement.

    In a cell between four nodes the derivative along an axis lies between those of the cell's two
    edges along it.
    """
    along = (np.diff(displacement, axis=2) ** 2).sum(axis=0) / spacing**2
    down = (np.diff(displacement, axis=1) ** 2).sum(axis=0) / spacing**2
    cells = np.maximum(along[:-1], along[1:]) + np.maximum(down[:, :-1], down[:, 1:])
    return float(np.sqrt(cells.max(initial=0)))


def unfold_points(config: DeformationConfig, points_um: Points, slide: Frame) -> Points:
    """Where slide points (N, 2) would lie had the section no folds."""
    for fold in config.folds:
        points_um = GapTransform(fold, slide, opens=True)(points_um)
    return points_um


def measure_tear_distance_um(config: DeformationConfig, points_um: Points) -> np.typing.NDArray[np.floating]:
    """Signed distance of unfolded slide points (N, 2) to the tears' gaps, negative inside; infinite
    without a tear.
    """
    distances = [tear.gap_distance_um(points_um) for tear in config.tears]
    return np.min(distances, axis=0) if distances else np.full(len(points_um), np.inf)


def measure_fold_distance_um(config: DeformationConfig, points_um: Points) -> np.typing.NDArray[np.floating]:
    """Signed distance of slide points (N, 2) to the folds' bands, negative inside; infinite without
    a fold.
    """
    distances = [fold.fold_distance_um(points_um) for fold in config.folds]
    return np.min(distances, axis=0) if distances else np.full(len(points_um), np.inf)
