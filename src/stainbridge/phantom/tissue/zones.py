"""Zones of a section: its outline, muscle coat, fat, lesion, necrosis and glandular lobules."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from stainbridge.geometry.frame import Frame, Space
from stainbridge.phantom.space.interpolation import interpolate_plane
from stainbridge.phantom.space.pickling import PickledByFields
from stainbridge.phantom.space.randomness import compute_axis_centres, derive_key, sample_noise
from stainbridge.phantom.tissue.config import TissueConfig
from stainbridge.phantom.tissue.organs import EVERYWHERE
from stainbridge.types import Plane

#: Zones of a whole plane are mapped on this many pixels a side.
_MAP_PX = 400
#: Amplitudes of the outline's first harmonics, as shares of its radius.
_OUTLINE_HARMONICS = (0.05, 0.10, 0.06, 0.04, 0.03)


@dataclass(frozen=True, eq=False)
class Zones:
    """Planes (H, W). Depths are signed distances to a zone's border in µm, positive inside."""

    tissue_depth_um: Plane
    """Depth below the section's outline."""
    muscle_depth_um: Plane
    """Depth in the muscle coat."""
    fat_depth_um: Plane
    """Depth in fat."""
    lesion_depth_um: Plane
    """Depth in the lesion."""
    necrosis_depth_um: Plane
    """Depth in the lesion's necrosis."""
    lobule_depth_um: Plane
    """Depth in glandular lobules."""
    inflammation: Plane
    """How inflamed the tissue is: noise of mean 0 and deviation 1."""


@dataclass(frozen=True, eq=False)
class TissuePlane(PickledByFields):
    """A plane through a block of tissue, in which a section is cut."""

    config: TissueConfig
    """The block of tissue."""
    z_um: float
    """Depth of the plane in the block."""

    @property
    def section_number(self) -> int:
        """Number of the section: planes in one whole micrometre share nuclei and textures."""
        return round(self.z_um)

    @cached_property
    def zone_map(self) -> tuple[Frame, Zones]:
        """The zones of the whole plane on about 400 x 400 pixels, with their frame."""
        area = Space("tissue", 1, 1, (self.config.width_um, self.config.height_um)).frame
        grid = area.at_mpp(self.config.shorter_side_um / _MAP_PX)
        return grid, compute_zones(self, grid)

    def sample_zones(self, x_um: Plane, y_um: Plane) -> Zones:
        """Return the zones at points of the plane, to about 1 % of the tissue's size.

        `x_um` and `y_um` have one shape, which the planes of the zones then have.
        """
        grid, zones = self.zone_map
        x = np.asarray(x_um / grid.mpp[0] - 0.5, np.float32)
        y = np.asarray(y_um / grid.mpp[1] - 0.5, np.float32)
        planes = {field.name: getattr(zones, field.name) for field in fields(Zones)}
        return Zones(**{name: interpolate_plane(plane, x, y) for name, plane in planes.items()})


@dataclass(frozen=True, eq=False)
class _ZoneRaster:
    """Where zones are computed: the pixel centres of `frame` in a plane."""

    plane: TissuePlane
    frame: Frame
    dx: Plane
    """Distance from the middle of the area along x, (1, W) µm."""
    dy: Plane
    """Distance from the middle of the area along y, (H, 1) µm."""

    def sample_waves(self, name: str, scale_um: float) -> Plane:
        """Return noise of its own for each name, (H, W)."""
        key = derive_key(self.config.seed, "zone", name)
        return sample_noise(self.frame, scale_um, key, self.plane.z_um)

    @property
    def config(self) -> TissueConfig:
        """The block of tissue."""
        return self.plane.config

    @property
    def radius_um(self) -> float:
        """About the radius of the tissue."""
        return self.config.fill * self.config.shorter_side_um / 2


def compute_zones(plane: TissuePlane, frame: Frame) -> Zones:
    """Return the zones of a plane at the pixel centres of `frame`, a frame in tissue space."""
    config = plane.config
    x, y = (centres.astype(np.float32) for centres in compute_axis_centres(frame))
    dx = (x - config.width_um / 2)[None, :]
    dy = (y - config.height_um / 2)[:, None]
    raster = _ZoneRaster(plane, frame, dx, dy)
    rng = np.random.default_rng(derive_key(config.seed, "outline"))
    tissue = _compute_tissue_depth(raster, rng)
    muscle_rad = rng.uniform(0, 2 * np.pi)
    # The muscle coat lines one side of the section, fat clings to the other.
    side = (dx * np.cos(muscle_rad) + dy * np.sin(muscle_rad)) / np.maximum(np.hypot(dx, dy), 1)
    muscle = _compute_muscle_depth(raster, tissue, side)
    lesion_rad = muscle_rad + rng.uniform(0.6, 1.2) * rng.choice([-1, 1]) + np.pi / 2
    lesion = _compute_lesion_depth(raster, lesion_rad, tissue)
    fat = np.minimum(_compute_fat_depth(raster, tissue, side), -lesion - 10)
    necrosis = _compute_necrosis_depth(raster, lesion, tissue)
    scale = config.zone_scale_um
    lobules = raster.sample_waves("lobule", 0.6 * scale) + config.organ_model.lobule_level
    lobule = 0.22 * scale * lobules
    inflammation = raster.sample_waves("inflamed", 0.5 * scale)
    depths = (tissue, muscle, fat, lesion, necrosis, lobule, inflammation)
    return Zones(*(np.asarray(depth, np.float32) for depth in depths))


def _compute_tissue_depth(raster: _ZoneRaster, rng: np.random.Generator) -> Plane:
    scale = raster.config.zone_scale_um
    depth = _compute_outline_depth(raster, rng)
    depth += (
        0.10 * scale * raster.sample_waves("coast", 0.5 * scale)
        + 5 * raster.sample_waves("ragged", 45)
        + 2.0 * raster.sample_waves("frayed", 14)
    )
    return depth


def _compute_outline_depth(raster: _ZoneRaster, rng: np.random.Generator) -> Plane:
    """Return the depth below a lobed outline: an ellipse whose radius varies with the angle."""
    config = raster.config
    half = np.array([config.width_um, config.height_um]) / 2 * config.fill
    unit = (raster.dx / half[0] + 1j * raster.dy / half[1]).astype(np.complex64)
    length = np.maximum(np.abs(unit), 1e-6)
    direction = unit / length
    power = np.ones_like(unit)
    radius = np.full(length.shape, 0.92, np.float32)
    for amplitude in _OUTLINE_HARMONICS:
        power = power * direction
        phase = rng.uniform(0, 2 * np.pi)
        wave = (power * np.complex64(np.exp(1j * phase))).real
        radius += amplitude * rng.uniform(0.5, 1.0) * wave
    return np.asarray((radius - length) * np.float32(half.min()), np.float32)


def _compute_muscle_depth(raster: _ZoneRaster, tissue: Plane, side: Plane) -> Plane:
    scale = raster.config.zone_scale_um
    coat = np.clip(side - 0.1, 0, 1) * raster.config.organ_model.muscle_width * raster.radius_um
    waves = 0.05 * scale * raster.sample_waves("coat", 0.6 * scale)
    return np.asarray(np.minimum(coat - tissue, tissue - 4) + waves)


def _compute_fat_depth(raster: _ZoneRaster, tissue: Plane, side: Plane) -> Plane:
    scale = raster.config.zone_scale_um
    organ = raster.config.organ_model
    depth = (
        np.clip(-side - 0.25, 0, 1) * organ.fat_width * raster.radius_um
        - tissue
        + 0.22 * scale * raster.sample_waves("fat", 0.7 * scale)
    )
    if organ.adipose_level > -EVERYWHERE:
        adipose = raster.sample_waves("adipose", 0.4 * scale) + organ.adipose_level
        depth = np.maximum(depth, 0.3 * scale * adipose)
        depth = depth + 9 * raster.sample_waves("fat border", 60)
    return np.asarray(depth)


def _compute_lesion_depth(raster: _ZoneRaster, angle_rad: float, tissue: Plane) -> Plane:
    """Return the depth in a lesion in the direction `angle_rad` from the middle."""
    scale = raster.config.zone_scale_um
    organ = raster.config.organ_model
    if not raster.config.lesion or not organ.lesion_width:
        return np.full_like(tissue, -scale)
    offset_um = (0.62 - 0.5 * organ.lesion_width) * raster.radius_um
    distance = np.hypot(
        raster.dx - offset_um * np.cos(angle_rad), raster.dy - offset_um * np.sin(angle_rad)
    )
    return np.asarray(
        organ.lesion_width * raster.radius_um
        - distance
        + 0.22 * scale * raster.sample_waves("lesion", 0.55 * scale)
        + 12 * raster.sample_waves("front", 60)
    )


def _compute_necrosis_depth(raster: _ZoneRaster, lesion: Plane, tissue: Plane) -> Plane:
    scale = raster.config.zone_scale_um
    organ = raster.config.organ_model
    if not organ.necrosis_width:
        return np.full_like(tissue, -scale)
    depth = (
        lesion
        - (organ.lesion_width - organ.necrosis_width) * raster.radius_um
        + 0.15 * scale * raster.sample_waves("necrosis", 0.3 * scale)
    )
    return np.asarray(depth + 6 * raster.sample_waves("necrotic edge", 30))
