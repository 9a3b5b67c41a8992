"""Centres of recognisable structures, for landmarks."""

from __future__ import annotations

import numpy as np

from stainbridge.geometry.frame import Space
from stainbridge.phantom.tissue.anatomy import remove_misplaced
from stainbridge.phantom.tissue.bodies import locate_lattice, scatter_bodies
from stainbridge.phantom.tissue.zones import TissuePlane
from stainbridge.types import Points


def locate_structures(plane: TissuePlane) -> tuple[tuple[str, ...], Points]:
    """Return the names and centres of all glands, ducts, vessels and follicles in a plane.

    Centres are (N, 2) µm of tissue space. They leave out the small-scale warp of outlines, so they
    lie within about 10 µm of the visible ones.
    """
    config = plane.config
    area = Space("tissue", 1, 1, (config.width_um, config.height_um)).frame
    names: list[str] = []
    centres: list[Points] = []
    for kind in config.organ_model.landmark_kinds:
        first_index, lattice = locate_lattice(kind, area)
        candidates = scatter_bodies(kind, first_index, lattice, config.seed, plane.z_um)
        bodies = remove_misplaced(plane, candidates)
        present = bodies.radius_um > 0
        names += [kind.name] * int(present.sum())
        centres.append(np.stack([bodies.x_um[present], bodies.y_um[present]], axis=1).astype(float))
    return tuple(names), np.concatenate(centres)
