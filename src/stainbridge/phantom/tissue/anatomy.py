"""Anatomy: signed distances to glands, ducts, vessels, follicles, fat cells and fibres."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.phantom.space.randomness import compute_axis_centres, derive_key, sample_noise
from stainbridge.phantom.tissue.bodies import (
    MAX_SHIFT_UM,
    Bodies,
    BodyKind,
    NearestBodies,
    find_nearest_bodies,
    locate_lattice,
    scatter_bodies,
)
from stainbridge.phantom.tissue.organs import EVERYWHERE, SOLID_UM, Organ
from stainbridge.phantom.tissue.zones import TissuePlane, Zones, compute_zones
from stainbridge.types import Mask, Plane

#: Distance between collagen fibres in µm.
FIBRE_SPACING_UM = 4.2


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Planes (H, W) on `frame`. Distances are signed, in µm, negative inside the structure."""

    frame: Frame
    """The pixel grid, in tissue space."""
    zones: Zones
    """The zones of the tissue."""
    gland_um: Plane
    """Distance to glands."""
    lining_um: Plane
    """Thickness of the glands' epithelium."""
    gland_mark: Plane
    """The nearest gland's random number, 0 to 1."""
    tumour: Plane
    """1 where the nearest gland is one of the lesion's, else 0."""
    sieve: Plane
    """Noise that is high at the holes of sieve-like glands."""
    duct_um: Plane
    """Distance to ducts."""
    vessel_um: Plane
    """Distance to vessels."""
    vessel_wall_um: Plane
    """Thickness of the vessels' walls."""
    vessel_mark: Plane
    """The nearest vessel's random number, 0 to 1."""
    capillary_um: Plane
    """Distance to capillaries."""
    follicle_um: Plane
    """Distance to follicles."""
    fat_border_um: Plane
    """Distance to the borders between fat cells."""
    fibre_phase: Plane
    """Phase of the fibre pattern in periods."""
    weave: Plane
    """Noise by which fibres are woven."""


@dataclass(frozen=True, eq=False)
class _Glands:
    """Glands of both kinds: distance, mark of the nearest, whether that is one of the lesion's."""

    distance_um: Plane
    mark: Plane
    tumour: Mask


def compute_anatomy(plane: TissuePlane, frame: Frame) -> Anatomy:
    """Return the anatomy of a plane at the pixel centres of `frame`, a frame in tissue space."""
    config = plane.config

    def sample_waves(name: str, scale_um: float) -> Plane:
        key = derive_key(config.seed, "anatomy", name)
        return sample_noise(frame, scale_um, key, plane.z_um)

    zones = compute_zones(plane, frame)
    warp = (
        9 * sample_waves(f"warp {axis}", 46) + 2.5 * sample_waves(f"crinkle {axis}", 15)
        for axis in "xy"
    )
    shift_x, shift_y = (_limit_shift(shift) for shift in warp)
    organ = config.organ_model

    def find_nearest(kind: BodyKind) -> NearestBodies:
        first_index, lattice = locate_lattice(kind, frame)
        candidates = scatter_bodies(kind, first_index, lattice, config.seed, plane.z_um)
        bodies = remove_misplaced(plane, candidates)
        return find_nearest_bodies(bodies, frame, shift_x, shift_y)

    duct = find_nearest(organ.duct)
    vessel = find_nearest(organ.vessel)
    follicle = find_nearest(organ.follicle)
    fat = find_nearest(organ.fat_cell)
    capillary = find_nearest(organ.capillary)
    if organ.adipose_level >= EVERYWHERE:
        zones = _push_fat_aside(zones, duct, vessel)
    large = np.minimum(np.minimum(vessel.first_um, duct.first_um), follicle.first_um - 6)
    glands = _join_glands(find_nearest(organ.gland), find_nearest(organ.dense_gland), large)
    lining = (
        np.where(glands.tumour, organ.lesion_lining_um, organ.lining_um)
        + 1.6 * sample_waves("lining", 24)
        + np.where(glands.tumour, 3.5, 1.2) * sample_waves("infold", 11)
    )
    x, y = compute_axis_centres(frame)
    course_rad = 2 * np.pi * derive_key(config.seed, "fibres") / 2**32
    straight = (x * np.cos(course_rad))[None, :] + (y * np.sin(course_rad))[:, None]
    # Waves gentler than the mean slope: the fibres sway but their stripes stay about evenly spaced.
    phase = straight + 34 * sample_waves("bundles", 70)
    sway = 0.3 * config.zone_scale_um * sample_waves("course", config.zone_scale_um)
    phase = phase + 8 * sample_waves("fibres", 24) + sway
    has_lumen = organ.lesion_lining_um < SOLID_UM
    return Anatomy(
        frame,
        zones,
        glands.distance_um,
        np.asarray(np.maximum(lining, 5), np.float32),
        glands.mark,
        glands.tumour.astype(np.float32),
        sample_waves("sieve", 21) if has_lumen else np.full_like(glands.distance_um, -9),
        duct.first_um,
        vessel.first_um,
        np.asarray(3.0 + 8.0 * vessel.mark + 0.8 * sample_waves("wall", 20), np.float32),
        vessel.mark,
        np.maximum(capillary.first_um, 6 - np.minimum(glands.distance_um, large)),
        follicle.first_um + 5 * sample_waves("follicle", 30),
        np.asarray((fat.first_um - fat.second_um) / 2, np.float32),
        np.asarray(phase / FIBRE_SPACING_UM, np.float32),
        sample_waves("weave", 38),
    )


def _limit_shift(shift: Plane) -> Plane:
    """Return a shift in µm, smoothly limited to `MAX_SHIFT_UM`."""
    return np.asarray(MAX_SHIFT_UM * np.tanh(shift / MAX_SHIFT_UM), np.float32)


def _push_fat_aside(zones: Zones, duct: NearestBodies, vessel: NearestBodies) -> Zones:
    """Return the zones where airways and vessels push the spongy tissue aside."""
    free = np.minimum(duct.first_um - 16, vessel.first_um - 7)
    return replace(zones, fat_depth_um=np.minimum(zones.fat_depth_um, free))


def _join_glands(normal: NearestBodies, dense: NearestBodies, large: Plane) -> _Glands:
    """Return the glands of both kinds, clear of `large`, the distance to larger bodies."""
    distance = np.minimum(_separate_neighbours(normal, 7.0), _separate_neighbours(dense, 3.5))
    distance = np.maximum(distance, 4 * (12 - large))  # steep, because distances are clipped
    tumour = dense.first_um < normal.first_um
    return _Glands(distance, np.where(tumour, dense.mark, normal.mark), tumour)


def _separate_neighbours(nearest: NearestBodies, gap_um: float) -> Plane:
    """Return the distance to the nearest body, with a gap between neighbours that would touch."""
    return np.maximum(nearest.first_um, (nearest.first_um - nearest.second_um) / 2 + gap_um / 2)


def remove_misplaced(plane: TissuePlane, bodies: Bodies) -> Bodies:
    """Return the bodies without those that do not belong in the zone they lie in."""
    zones = plane.sample_zones(bodies.x_um, bodies.y_um)
    present = _find_present(plane.config.organ_model, bodies, zones)
    return replace(bodies, radius_um=np.where(present, bodies.radius_um, np.float32(0)))


def _find_present(organ: Organ, bodies: Bodies, zones: Zones) -> Mask:
    """Return which bodies belong in the zone they lie in, given the zones at their centres."""
    radius = bodies.radius_um
    mark = bodies.mark
    depth = zones.tissue_depth_um - radius * 1.3
    fat = zones.fat_depth_um
    lesion = zones.lesion_depth_um
    spongy = organ.adipose_level >= EVERYWHERE
    parenchyma = (zones.muscle_depth_um < -30) & ((fat < -30) | spongy)
    vessel_share = np.where(lesion > 0, 0.3, organ.vessel_share)
    alive = zones.necrosis_depth_um < -radius
    present = {
        "gland": (depth > 8)
        & parenchyma
        & (lesion < -20)
        & (zones.lobule_depth_um > 0)
        & (mark < organ.gland_share),
        "dense gland": (depth > 8) & parenchyma & (lesion >= -20) & (mark < 0.97) & alive,
        "duct": (depth > 30) & parenchyma & (lesion < -60) & (mark < organ.duct_share),
        "vessel": (depth > 15) & ((fat < -10) | spongy) & (mark < vessel_share) & alive,
        "capillary": (depth > 5) & (mark < 0.6) & alive & (fat < 0),
        "follicle": (depth > 30)
        & (zones.muscle_depth_um < 0)
        & (lesion < 40)
        & (mark < organ.follicle_share),
        "fat cell": (fat > -120) & (depth > -120),
    }
    return np.asarray(present[bodies.kind.name])
