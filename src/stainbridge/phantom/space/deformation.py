"""How a section lies on its slide: an exactly invertible chain of placement, elasticity, tears.

Tissue is displaced elastically, placed by an affine map, torn and folded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.transform import Affine, Chain, DisplacementField, Transform
from stainbridge.phantom.space.crop import FloatArray
from stainbridge.phantom.space.cut_line import CutLine, GapTransform
from stainbridge.phantom.space.interpolation import interpolate_plane
from stainbridge.phantom.space.randomness import derive_key, sample_noise
from stainbridge.ranges import Within, check_ranges
from stainbridge.types import Field, Matrix, Points

#: Bound on the norm of the elastic displacement's derivative; below 1 the map is one to one.
MAX_ELASTIC_GRADIENT = 0.5
#: Nodes of the elastic displacement per `elastic_scale`: many, so that kinks between them are
#: slight.
_NODES_PER_SCALE = 48


@dataclass(frozen=True)
class Drift:
    """A smooth displacement that changes slowly with depth: neighbouring sections have it alike.

    It moves the anatomy through a stack of sections, as in an organ cut slice by slice.

    Raises `InputError` for values out of range.
    """

    depth_um: float
    """Depth of the section in its block."""
    seed: int = 0
    """Seed of the displacement; sections of a block share it."""
    elastic_um: float = 0.0
    """Root mean square displacement in µm; reduced where it would be too steep."""
    elastic_scale: float = 0.35
    """Length over which it varies, also in depth, as a share of the tissue's shorter side."""

    def __post_init__(self) -> None:
        _check_elastic(self.elastic_um, self.elastic_scale)


@dataclass(frozen=True)
class DeformationConfig:
    """The deformation of a section from where it was cut to where it lies on its slide.

    Cuts are given in slide space: those of folds as the section lies, those of tears as it would
    lie with the folds smoothed out.

    Raises `InputError` for a scale that is not positive, or elastic values out of range.
    """

    rotation_deg: Annotated[float, Within(-360, 360)] = 0.0
    """Rotation in degrees, from x towards y."""
    flip: bool = False
    """Whether the section is mirrored in x before it is rotated."""
    scale: Annotated[float, Within(0, 100, above=True)] = 1.0
    """Size on the slide relative to the tissue."""
    shear: Annotated[float, Within(-10, 10)] = 0.0
    """Shear of x by y."""
    shift: Annotated[tuple[float, float], Within(-10, 10)] = (0.0, 0.0)
    """Offset (x, y) from the slide's centre, as shares of the tissue's shorter side."""
    elastic_um: Annotated[float, Within(0, 1e6)] = 0.0
    """Root mean square elastic displacement in µm; reduced where it would be too steep."""
    elastic_scale: Annotated[float, Within(0, 100, above=True)] = 0.25
    """Length over which that displacement varies, as a share of the tissue's shorter side."""
    tears: tuple[CutLine, ...] = ()
    """Cuts along which the section gapes."""
    folds: tuple[CutLine, ...] = ()
    """Cuts along which the section is doubled up."""
    drift: Drift | None = None
    """A displacement of the tissue itself, before all else."""

    def __post_init__(self) -> None:
        check_ranges(self)
        _check_elastic(self.elastic_um, self.elastic_scale)


def _check_elastic(elastic_um: float, elastic_scale: float) -> None:
    """Raise `InputError` for an elastic displacement out of range."""
    if elastic_um < 0 or not 0.05 <= elastic_scale <= 2:
        raise InputError(
            "elastic deformation out of range",
            expected="elastic_um >= 0, elastic_scale 0.05 to 2",
            got=(elastic_um, elastic_scale),
        )


#: The section lies as it was cut.
UNDEFORMED = DeformationConfig()


def build_tissue_from_slide(
    config: DeformationConfig, tissue: Frame, slide: Frame, seed: int
) -> Chain:
    """Return the transform that takes slide points to tissue points.

    It undoes the folds, the tears and the placement, then displaces elastically, at last by drift.
    """
    members: list[Transform] = [GapTransform(fold, slide, opens=True) for fold in config.folds]
    members += [GapTransform(tear, slide, opens=False) for tear in config.tears]
    matrix = compute_placement_matrix(config, tissue, slide)
    members.append(Affine(matrix, tissue.space, slide.space).inverse())
    if config.elastic_um > 0:
        members.append(sample_elastic_field(config, tissue, seed))
    if config.drift is not None and config.drift.elastic_um > 0:
        members.append(sample_drift_field(config.drift, tissue))
    return Chain(tuple(members))


def build_drawing_transform(
    config: DeformationConfig, tissue: Frame, slide: Frame, seed: int
) -> Chain:
    """Return `build_tissue_from_slide` with the elastic field in single precision.

    That is enough to draw with, and faster where a tear needs every pixel.
    """
    members = build_tissue_from_slide(config, tissue, slide, seed).members
    return Chain(
        tuple(_SinglePrecisionField(m) if isinstance(m, DisplacementField) else m for m in members)
    )


@dataclass(frozen=True, eq=False)
class _SinglePrecisionField(Transform):
    """A displacement field sampled in single precision."""

    field: DisplacementField

    @property
    def source(self) -> Space:
        """The source of the field."""
        return self.field.source

    @property
    def target(self) -> Space:
        """The target of the field."""
        return self.field.target

    def __call__(self, points_um: Points) -> Points:
        """Map (N, 2) points, µm in, µm out."""
        columns, rows = (self.field.grid.to_px(points_um) - 0.5).astype(np.float32).T
        x = np.ascontiguousarray(columns)
        y = np.ascontiguousarray(rows)
        shift = [interpolate_plane(plane, x, y) for plane in self.field.displacement]
        return np.asarray(points_um + np.stack(shift, axis=1))

    def inverse(self) -> Transform:
        """Return the inverse of the field."""
        return self.field.inverse()


def compute_placement_matrix(config: DeformationConfig, tissue: Frame, slide: Frame) -> Matrix:
    """Return the affine part, (3, 3), tissue µm to slide µm: centre onto centre, plus shift."""
    angle = np.deg2rad(config.rotation_deg)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    mirror = np.diag([-1.0 if config.flip else 1.0, 1.0])
    linear = config.scale * rotation @ np.array([[1.0, config.shear], [0.0, 1.0]]) @ mirror
    centre = np.array(slide.centre_um) + np.array(config.shift) * min(tissue.size_um)
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = centre - linear @ np.array(tissue.centre_um)
    return matrix


def sample_elastic_field(config: DeformationConfig, tissue: Frame, seed: int) -> DisplacementField:
    """Return a smooth random displacement of tissue space that is one to one everywhere.

    Its gradient is bounded by `MAX_ELASTIC_GRADIENT`.
    """
    return _sample_field(config, tissue, seed)


def sample_drift_field(drift: Drift, tissue: Frame) -> DisplacementField:
    """Return the displacement of tissue space at a depth, one to one everywhere.

    It is a plane of three-dimensional noise, so that it changes smoothly with depth.
    """
    return _sample_field(drift, tissue, drift.seed, drift.depth_um)


def _sample_field(
    config: DeformationConfig | Drift, tissue: Frame, seed: int, z_um: float | None = None
) -> DisplacementField:
    scale_um = config.elastic_scale * min(tissue.size_um)
    grid = _plan_elastic_grid(tissue, scale_um)
    spacing_um = grid.mpp[0]
    waves = [
        sample_noise(grid, scale_um, derive_key(seed, "elastic", axis), z_um)
        + 0.35 * sample_noise(grid, scale_um / 2.3, derive_key(seed, "ripple", axis), z_um)
        for axis in "xy"
    ]
    displacement = np.stack(waves) * (config.elastic_um / np.sqrt(2))
    steepest = compute_gradient_bound(displacement, spacing_um)
    displacement *= min(1.0, MAX_ELASTIC_GRADIENT / max(steepest, 1e-9))
    return DisplacementField(np.asarray(displacement, np.float32), grid, tissue.space, tissue.space)


def _plan_elastic_grid(tissue: Frame, scale_um: float) -> Frame:
    """Return the grid of an elastic field: half a tissue larger than the tissue on each side.

    So the constant continuation beyond the grid lies outside the slide.
    """
    nodes = int(np.ceil(_NODES_PER_SCALE * 2 * max(tissue.size_um) / scale_um))
    spacing_um = 2 * max(tissue.size_um) / nodes
    rows, columns = (int(np.ceil(2 * size / spacing_um)) for size in tissue.size_um[::-1])
    origin = np.array(tissue.origin_um) - np.array(tissue.size_um) / 2
    origin_um = (float(origin[0]), float(origin[1]))
    return Frame(tissue.space, rows, columns, (spacing_um, spacing_um), origin_um)


def compute_gradient_bound(displacement: Field, spacing_um: float) -> float:
    """Return an upper bound of the norm of the derivative of a (2, H, W) displacement.

    The displacement is bilinearly interpolated: in a cell between four nodes the derivative along
    an axis lies between those of the cell's two edges along it.
    """
    along = (np.diff(displacement, axis=2) ** 2).sum(axis=0) / spacing_um**2
    down = (np.diff(displacement, axis=1) ** 2).sum(axis=0) / spacing_um**2
    cells = np.maximum(along[:-1], along[1:]) + np.maximum(down[:, :-1], down[:, 1:])
    return float(np.sqrt(cells.max(initial=0)))


def unfold_points(config: DeformationConfig, points_um: Points, slide: Frame) -> Points:
    """Return where slide points (N, 2) would lie if the section had no folds."""
    for fold in config.folds:
        points_um = GapTransform(fold, slide, opens=True)(points_um)
    return points_um


def measure_tear_distance_um(config: DeformationConfig, points_um: Points) -> FloatArray:
    """Return signed distances, (N,), of unfolded slide points to the tears' gaps.

    They are negative inside a gap, and infinite without a tear.
    """
    distances = [tear.gap_distance_um(points_um) for tear in config.tears]
    return np.min(distances, axis=0) if distances else np.full(len(points_um), np.inf)


def measure_fold_distance_um(config: DeformationConfig, points_um: Points) -> FloatArray:
    """Return signed distances, (N,), of slide points to the folds.

    They are negative where tissue is doubled up, and infinite without a fold.
    """
    distances = [fold.fold_distance_um(points_um) for fold in config.folds]
    return np.min(distances, axis=0) if distances else np.full(len(points_um), np.inf)
