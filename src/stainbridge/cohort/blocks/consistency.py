"""How far apart two ways between the same slides end: the error of a loop."""

from __future__ import annotations

import numpy as np

from stainbridge.geometry.transform import Transform
from stainbridge.slides.overview import Overview
from stainbridge.types import Points

#: Points of tissue that a loop is measured at, at most.
MOST_POINTS = 400


def sample_tissue(overview: Overview) -> Points:
    """Return points all over the tissue of a slide, (N, 2) in µm, at most 400."""
    inside = np.flatnonzero(overview.region)
    step = max(1, -(-len(inside) // MOST_POINTS))
    return np.asarray(overview.frame.centres_um()[inside[::step]])


def measure_loop(first: Transform, second: Transform, points_um: Points) -> float:
    """Return the median distance of where two transforms take points, in µm of their target."""
    distances = np.linalg.norm(first(points_um) - second(points_um), axis=1)
    return float(np.median(distances))
