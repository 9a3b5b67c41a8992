"""Order patches by how close to the thresholds they are, to show the doubtful ones first."""

from __future__ import annotations

import math
from collections.abc import Sequence

from stainbridge.pairing.config import THRESHOLD_ORDER, Thresholds, read_measure
from stainbridge.pairing.patch import Patch

#: Kept patches that are shown, at most: those with the largest residuals.
KEPT_SHOWN = 48
#: Patches shown on either side of each threshold, at most.
SHOWN_BESIDE = 12


def select_worst_kept(patches: Sequence[Patch]) -> list[Patch]:
    """Return the kept patches with the largest residuals, the largest first."""
    kept = [patch for patch in patches if patch.is_kept]
    return sorted(kept, key=lambda patch: (-patch.scores.residual_px, patch.name))[:KEPT_SHOWN]


def select_best_dropped(patches: Sequence[Patch], thresholds: Thresholds) -> list[Patch]:
    """Return the dropped patches that miss their threshold least, the least first.

    There are `SHOWN_BESIDE` of each threshold at most.
    """
    selected = [
        patch for name in THRESHOLD_ORDER for patch in select_outside(patches, name, thresholds)
    ]
    return sorted(selected, key=lambda patch: _rank_by_excess(patch, thresholds))


def select_inside(patches: Sequence[Patch], name: str, thresholds: Thresholds) -> list[Patch]:
    """Return the kept patches that meet the threshold `name` most closely, the closest first."""
    kept = [patch for patch in patches if patch.is_kept]

    def rank(patch: Patch) -> tuple[float, str]:
        return -measure_excess(patch, name, thresholds), patch.name

    return sorted(kept, key=rank)[:SHOWN_BESIDE]


def select_outside(patches: Sequence[Patch], name: str, thresholds: Thresholds) -> list[Patch]:
    """Return the patches that the threshold `name` drops most narrowly, the closest first."""
    dropped = [patch for patch in patches if patch.dropped_for == name]
    return sorted(dropped, key=lambda patch: _rank_by_excess(patch, thresholds))[:SHOWN_BESIDE]


def select_shown(patches: Sequence[Patch], thresholds: Thresholds) -> set[str]:
    """Return the names of all patches that a page or picture of the set may show.

    The choice for a whole set is within the union of the choices for its slide pairs.
    """
    beside = [
        patch
        for name in THRESHOLD_ORDER
        for patch in (
            *select_inside(patches, name, thresholds),
            *select_outside(patches, name, thresholds),
        )
    ]
    return {patch.name for patch in (*select_worst_kept(patches), *beside)}


def measure_excess(patch: Patch, name: str, thresholds: Thresholds) -> float:
    """Return by how much of its limit a patch misses a threshold; negative where it meets it.

    It is infinite where the measure is nan, and where the limit is 0 but the measure is not.
    """
    measure = read_measure(name, patch.scores)
    limit: float = getattr(thresholds, name)
    difference = limit - measure if name.startswith("min_") else measure - limit
    if math.isnan(measure):
        return math.inf
    if limit == 0:
        return 0.0 if difference == 0 else math.copysign(math.inf, difference)
    return difference / limit


def _rank_by_excess(patch: Patch, thresholds: Thresholds) -> tuple[float, float, str]:
    excess = measure_excess(patch, patch.dropped_for, thresholds)
    residual_px = patch.scores.residual_px
    return excess, math.inf if math.isnan(residual_px) else residual_px, patch.name
