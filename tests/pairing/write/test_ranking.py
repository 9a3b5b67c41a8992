from __future__ import annotations

import math
from dataclasses import replace

import pytest
from tests.pairing.write.patches import CONFIG, make_patches

from stainbridge.pairing.config import THRESHOLD_ORDER, Thresholds, read_measure
from stainbridge.pairing.patch import Patch
from stainbridge.pairing.write.ranking import (
    KEPT_SHOWN,
    SHOWN_BESIDE,
    measure_excess,
    select_best_dropped,
    select_inside,
    select_outside,
    select_shown,
    select_worst_kept,
)

THRESHOLDS = Thresholds()


def drop_many(patches: list[Patch], name: str, field: str, values: list[float]) -> list[Patch]:
    """Return the patches, as many as there are values spoilt so that `name` drops them."""
    spoilt = [
        replace(patch, scores=replace(patch.scores, **{field: value}), dropped_for=name)
        for patch, value in zip(patches, values, strict=False)
    ]
    return spoilt + patches[len(spoilt) :]


def test_the_worst_kept_come_first() -> None:
    worst = select_worst_kept(make_patches(per_pair=40))
    residuals = [patch.scores.residual_px for patch in worst]
    assert len(worst) == KEPT_SHOWN
    assert residuals == sorted(residuals, reverse=True)
    assert all(patch.is_kept for patch in worst)


def test_the_best_dropped_come_first_and_what_nothing_tells_last() -> None:
    dropped = select_best_dropped(make_patches(), THRESHOLDS)
    excess = [measure_excess(patch, patch.dropped_for, THRESHOLDS) for patch in dropped]
    assert excess == sorted(excess)
    assert all(value > 0 for value in excess)
    assert math.isnan(dropped[-1].scores.residual_px)
    assert {patch.dropped_for for patch in dropped} == set(THRESHOLD_ORDER)


@pytest.mark.parametrize(
    ("name", "field", "values"),
    [
        ("max_residual_px", "residual_px", [4.0 + place for place in range(1, 30)]),
        ("min_tissue", "tissue_fixed", [0.5 - place / 100 for place in range(1, 30)]),
    ],
)
def test_both_sides_of_a_threshold_begin_at_it(name: str, field: str, values: list[float]) -> None:
    kept = [patch for patch in make_patches(per_pair=20) if patch.is_kept]
    patches = drop_many(kept, name, field, values)
    outside = select_outside(patches, name, THRESHOLDS)
    assert [getattr(patch.scores, field) for patch in outside] == values[:SHOWN_BESIDE]
    inside = select_inside(patches, name, THRESHOLDS)
    distances = [
        abs(read_measure(name, patch.scores) - getattr(THRESHOLDS, name)) for patch in inside
    ]
    assert distances == sorted(distances)
    assert all(patch.is_kept for patch in inside)


def test_what_a_set_shows_is_among_what_its_pairs_show() -> None:
    patches = make_patches(per_pair=60)
    by_pair = [
        [patch for patch in patches if patch.pair == pair]
        for pair in sorted({patch.pair for patch in patches})
    ]
    parts = [select_shown(group, THRESHOLDS) for group in by_pair]
    assert select_shown(patches, THRESHOLDS) <= set().union(*parts)
    assert all(len(part) <= KEPT_SHOWN + 10 * SHOWN_BESIDE for part in parts)


def test_a_limit_of_zero_has_no_share() -> None:
    thresholds = replace(CONFIG.thresholds, max_pen=0.0)
    clean, *_ = make_patches()
    inked = replace(clean, scores=replace(clean.scores, pen=0.01))
    assert measure_excess(clean, "max_pen", thresholds) == 0
    assert measure_excess(inked, "max_pen", thresholds) == math.inf
