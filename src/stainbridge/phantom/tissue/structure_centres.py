"""Middles of recognisable structures, for landmarks."""

from __future__ import annotations

import numpy as np

from stainbridge.geometry.frame import Space
from stainbridge.phantom.tissue.anatomy import remove_misplaced
from stainbridge.phantom.tissue.bodies import locate_lattice, scatter_bodies
from stainbridge.phantom.tissue.zones import TissueConfig
from stainbridge.types import Points


def locate_structures(config: TissueConfig, z_um: float) -> tuple[tuple[str, ...], Points]:
    """Names and middles, (N, 2) µm of tissue space, of all glands, ducts, vessels and follicles in
    the plane `z_um`.

    Middles are those before the small-scale warp of outlines, so within about 10 µm of the visible
    ones.
    """
    area = Space("tissue", 1, 1, (config.width_um, config.height_um)).frame
    names: list[str] = []
    places: list[Points] = []
    for kind in config.parts.kinds:
        first, lattice = locate_lattice(kind, area)
        bodies = remove_misplaced(config, scatter_bodies(kind, first, lattice, config.seed, z_um), z_um)
        present = bodies.radius_um > 0
        names += [kind.name] * int(present.sum())
        places.append(np.stack([bodies.x_um[present], bodies.y_um[present]], axis=1).astype(float))
    return tuple(names), np.concatenate(places)
