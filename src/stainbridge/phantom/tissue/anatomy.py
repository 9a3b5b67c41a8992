"""Anatomy: where glands, ducts, vessels, follicles, fat cells and fibres lie, as signed distances
on a raster.
"""

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
    locate_lattice,
    find_nearest_bodies,
    scatter_bodies,
)
from stainbridge.phantom.tissue.organs import EVERYWHERE, SOLID_UM
from stainbridge.phantom.tissue.zones import TissueConfig, Zones, compute_zones, sample_zones
from stainbridge.types import Plane

FIBRE_SPACING_UM = 4.2  # between collagen fibres


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Planes (H, W) on `frame`; names in µm are signed distances, negative inside the structure
    named.

    `lining_um` is the local thickness of the epithelium, `fibre` the phase of the fibre pattern in
    periods, `mark` the nearest gland's own random number, `tumour` 1 where the nearest gland is one
    of the lesion's.
    """

    frame: Frame
    zones: Zones
    gland_um: Plane
    lining_um: Plane
    mark: Plane
    tumour: Plane
    sieve: Plane
    duct_um: Plane
    vessel_um: Plane
    vessel_wall_um: Plane
    vessel_mark: Plane
    capillary_um: Plane
    follicle_um: Plane
    fat_border_um: Plane
    fibre: Plane
    weave: Plane


def compute_anatomy(config: TissueConfig, frame: Frame, z_um: float) -> Anatomy:
    """The structures at the pixel centres of `frame` (tissue space, µm) in the plane `z_um`."""

    def waves(name: str, scale_um: float) -> Plane:
        return sample_noise(frame, scale_um, derive_key(config.seed, "anatomy", name), z_um)

    zone = compute_zones(config, frame, z_um)
    warp = (9 * waves(f"warp {axis}", 46) + 2.5 * waves(f"crinkle {axis}", 15) for axis in "xy")
    shift = [
        np.asarray(MAX_SHIFT_UM * np.tanh(plane / MAX_SHIFT_UM), np.float32) for plane in warp
    ]

    organ = config.parts

    def find(kind: BodyKind) -> NearestBodies:
        first, lattice = locate_lattice(kind, frame)
        bodies = remove_misplaced(config, scatter_bodies(kind, first, lattice, config.seed, z_um), z_um)
        return find_nearest_bodies(bodies, frame, shift[0], shift[1])

    normal, dense, duct, vessel = (
        find(organ.gland),
        find(organ.dense),
        find(organ.duct),
        find(organ.vessel),
    )
    follicle, fat, capillary = find(organ.follicle), find(organ.fat_cell), find(organ.capillary)
    if organ.adipose >= EVERYWHERE:
        # Airways and vessels push the spongy tissue aside.
        fat_um = np.minimum(zone.fat_depth_um, np.minimum(duct.first_um - 16, vessel.first_um - 7))
        zone = replace(zone, fat_depth_um=fat_um)
    large = np.minimum(np.minimum(vessel.first_um, duct.first_um), follicle.first_um - 6)
    gland = np.minimum(_apart(normal, 7.0), _apart(dense, 3.5))
    gland = np.maximum(gland, 4 * (12 - large))  # steep: distances end at `far_um`
    tumour = dense.first_um < normal.first_um
    lining = (
        np.where(tumour, organ.lesion_lining_um, organ.lining_um)
        + 1.6 * waves("lining", 24)
        + np.where(tumour, 3.5, 1.2) * waves("infold", 11)
    )
    x, y = compute_axis_centres(frame)
    course = 2 * np.pi * derive_key(config.seed, "fibres") / 2**32
    # Waves gentler than the mean slope: the fibres sway but their stripes stay about evenly spaced.
    phase = (
        (x * np.cos(course))[None, :] + (y * np.sin(course))[:, None] + 34 * waves("bundles", 70)
    )
    phase = phase + 8 * waves("fibres", 24) + 0.3 * config.zone_um * waves("course", config.zone_um)
    return Anatomy(
        frame,
        zone,
        gland,
        np.asarray(np.maximum(lining, 5), np.float32),
        np.where(tumour, dense.mark, normal.mark),
        tumour.astype(np.float32),
        waves("sieve", 21) if organ.lesion_lining_um < SOLID_UM else np.full_like(gland, -9),
        duct.first_um,
        vessel.first_um,
        np.asarray(3.0 + 8.0 * vessel.mark + 0.8 * waves("wall", 20), np.float32),
        vessel.mark,
        np.maximum(capillary.first_um, 6 - np.minimum(gland, large)),
        follicle.first_um + 5 * waves("follicle", 30),
        np.asarray((fat.first_um - fat.second_um) / 2, np.float32),
        np.asarray(phase / FIBRE_SPACING_UM, np.float32),
        waves("weave", 38),
    )


def _apart(found: NearestBodies, gap_um: float) -> Plane:
    """Distance to the nearest body, where neighbours that would touch keep a gap between them."""
    return np.maximum(found.first_um, (found.first_um - found.second_um) / 2 + gap_um / 2)


def remove_misplaced(config: TissueConfig, bodies: Bodies, z_um: float) -> Bodies:
    """Remove the candidates that do not belong in the zone they fell into."""
    here = sample_zones(config, bodies.x_um, bodies.y_um, z_um)
    radius, mark = bodies.radius_um, bodies.mark
    inside = here.tissue_depth_um - radius * 1.3
    name, organ = bodies.kind.name, config.parts
    spongy = organ.adipose >= EVERYWHERE
    parenchyma = (here.muscle_depth_um < -30) & ((here.fat_depth_um < -30) | spongy)
    vessels = np.where(here.lesion_depth_um > 0, 0.3, organ.vessels)
    alive = here.necrosis_depth_um < -radius
    present = {
        "gland": (inside > 8)
        & parenchyma
        & (here.lesion_depth_um < -20)
        & (here.lobule_depth_um > 0)
        & (mark < organ.glands),
        "dense gland": (inside > 8) & parenchyma & (here.lesion_depth_um >= -20) & (mark < 0.97) & alive,
        "duct": (inside > 30) & parenchyma & (here.lesion_depth_um < -60) & (mark < organ.ducts),
        "vessel": (inside > 15) & ((here.fat_depth_um < -10) | spongy) & (mark < vessels) & alive,
        "capillary": (inside > 5) & (mark < 0.6) & alive & (here.fat_depth_um < 0),
        "follicle": (inside > 30)
        & (here.muscle_depth_um < 0)
        & (here.lesion_depth_um < 40)
        & (mark < organ.follicles),
        "fat cell": (here.fat_depth_um > -120) & (inside > -120),
    }[name]
    return replace(bodies, radius_um=np.where(present, radius, np.float32(0)))
