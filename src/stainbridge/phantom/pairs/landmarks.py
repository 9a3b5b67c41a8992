"""Choose corresponding landmarks on the two slides of a pair."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stainbridge.geometry.landmarks import Landmarks
from stainbridge.geometry.transform import Transform
from stainbridge.phantom.glass.slide import PhantomSlide
from stainbridge.phantom.pairs.truth import find_valid_points
from stainbridge.phantom.tissue.structure_centres import locate_structures
from stainbridge.types import Points

#: Other tissue points to choose from, for each landmark.
_CANDIDATES_PER_LANDMARK = 8


def choose_landmarks(
    fixed: PhantomSlide,
    moving: PhantomSlide,
    truth: Transform,
    count: int,
    rng: np.random.Generator,
) -> tuple[Landmarks, Landmarks]:
    """Return up to `count` landmarks, spread over the valid tissue, on the fixed and moving slide.

    They are centres of glands, ducts, vessels and follicles. Where there are too few of them, other
    points of the tissue make up the number.
    """
    section = fixed.section
    names, centres = locate_structures(section.plane)
    others = rng.uniform(0.05, 0.95, (_CANDIDATES_PER_LANDMARK * count, 2))
    others = others * section.tissue.shorter_side_um
    fixed_um = fixed.tissue_from_slide.inverse()(np.concatenate([centres, others]))
    names = (*names, *["tissue"] * len(others))
    usable = rng.permutation(np.flatnonzero(find_valid_points(fixed, moving, truth, fixed_um)))
    structures = spread_points(fixed_um, usable[usable < len(centres)], count)
    added = spread_points(fixed_um, usable[usable >= len(centres)], count - len(structures))
    chosen = np.concatenate([structures, added])
    labels = tuple(f"{names[n]} {number}" for number, n in enumerate(chosen))
    chosen_um = fixed_um[chosen]
    return (
        Landmarks(fixed.frame.to_px(chosen_um), labels, fixed.frame),
        Landmarks(moving.frame.to_px(truth(chosen_um)), labels, moving.frame),
    )


def spread_points(points: Points, order: npt.NDArray[np.int_], count: int) -> npt.NDArray[np.int_]:
    """Return `count` of the point numbers in `order`, each the farthest from those before it."""
    if not len(order) or not count:
        return np.zeros(0, int)
    chosen = [int(order[0])]
    distance = np.hypot(*(points[order] - points[chosen[0]]).T)
    while len(chosen) < min(count, len(order)):
        chosen.append(int(order[np.argmax(distance)]))
        distance = np.minimum(distance, np.hypot(*(points[order] - points[chosen[-1]]).T))
    return np.array(chosen)
