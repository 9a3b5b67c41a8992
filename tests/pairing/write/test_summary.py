from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.pairing.write.patches import CONFIG, make_patches

from stainbridge.pairing.write.summary import summarise
from stainbridge.pairing.write.words import (
    describe_condition,
    describe_measure,
    describe_residual,
    describe_resolution,
)


def test_counts_of_every_kind_add_up_to_all() -> None:
    patches = make_patches()
    summary = summarise(patches, CONFIG.thresholds)
    for counts in (summary.splits, summary.labels, summary.statuses, summary.pairs):
        assert sum(count.kept for count in counts) == summary.total.kept
        assert sum(count.dropped for count in counts) == summary.total.dropped
    assert summary.total.kept + summary.total.dropped == len(patches)
    assert sum(count.dropped for count in summary.thresholds) == summary.total.dropped
    assert [count.name for count in summary.splits] == ["train", "val", "test"]


def test_a_patch_that_misses_two_thresholds_is_dropped_by_the_first_and_missed_by_both() -> None:
    patch = make_patches()[1]
    scores = replace(patch.scores, tissue_fixed=0.1, pen=0.5)
    patch = replace(patch, scores=scores, dropped_for=CONFIG.thresholds.find_unmet(scores))
    counts = {count.name: count for count in summarise([patch], CONFIG.thresholds).thresholds}
    assert (counts["min_tissue"].dropped, counts["min_tissue"].unmet) == (1, 1)
    assert (counts["max_pen"].dropped, counts["max_pen"].unmet) == (0, 1)
    assert (counts["max_fold"].dropped, counts["max_fold"].unmet) == (0, 0)


def test_quantiles_are_of_kept_patches() -> None:
    patches = make_patches()
    summary = summarise(patches, CONFIG.thresholds)
    kept_px = [patch.scores.residual_px for patch in patches if patch.is_kept]
    assert summary.residuals[0].px == pytest.approx(np.median(kept_px))
    assert summary.residuals[-1].px == max(kept_px)
    assert math.isnan(summary.residuals[0].um)  # one slide states no pixel size
    calibrated = [patch for patch in patches if patch.calibrated]
    micrometres = summarise(calibrated, CONFIG.thresholds).residuals[-1]
    assert micrometres.um == pytest.approx(0.5 * micrometres.px)


def test_without_a_kept_patch_there_is_no_residual() -> None:
    dropped = [patch for patch in make_patches() if not patch.is_kept]
    summary = summarise(dropped, CONFIG.thresholds)
    assert summary.residuals == ()
    assert math.isnan(summary.total.residual_px)


def test_patches_in_words() -> None:
    patch = make_patches()[1]
    scores = replace(
        patch.scores, residual_px=3.84, residual_uncertainty_px=0.42, tissue_moving=0.515
    )
    patch = replace(patch, scores=scores)
    assert describe_residual(patch) == "residual 3.8 ± 0.4 px (1.9 µm)"
    assert describe_residual(replace(patch, calibrated=False)) == "residual 3.8 ± 0.4 px"
    unsure = replace(patch, scores=replace(scores, residual_uncertainty_px=math.nan))
    assert describe_residual(unsure) == "residual 3.8 px (1.9 µm)"
    assert describe_measure(patch, "min_tissue") == "tissue 51.5 %"
    assert describe_measure(patch, "max_residual_px") == "residual 3.84 px"
    assert describe_condition("max_fold", CONFIG.thresholds) == "folds at most 10 %"


def test_resolution_in_words() -> None:
    patches = make_patches()
    assert describe_resolution(patches[:1], CONFIG) == "64 × 64 px, 0.5 µm per pixel"
    finer = replace(patches[1], mpp=0.25)
    assert describe_resolution([patches[0], finer], CONFIG) == (
        "64 × 64 px, 0.25 to 0.5 µm per pixel"
    )
    assert describe_resolution(patches[-1:], CONFIG) == (
        "64 × 64 px, slides without a pixel size: pixels of the slide"
    )
