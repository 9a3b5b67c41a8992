"""The whole pipeline: right on pairs with a known answer, honest where there is none."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from stainbridge.errors import InputError, RegistrationError
from stainbridge.geometry.transform import Affine
from stainbridge.phantom.pair import PhantomPair, generate_pair
from stainbridge.registration.config import RegisterConfig, SearchConfig, TilesConfig
from stainbridge.registration.pipeline import register_slides
from stainbridge.registration.sections.section import Section, section_of
from stainbridge.registration.verdict.judge import calibrated
from stainbridge.registration.verdict.verification import folded_share
from stainbridge.slides.memory import ArraySlide


@pytest.fixture(scope="module")
def pair() -> PhantomPair:
    return generate_pair(
        seed=3, size_px=768, mpp=6.0, moving_stain="Ki67", rotation_deg=140.0, flip=True
    )


def median_rtre(pair: PhantomPair, found: object) -> float:
    assert callable(found)
    miss = np.linalg.norm(
        found(pair.fixed_landmarks.points_um) - pair.moving_landmarks.points_um, axis=1
    )
    return float(np.median(miss) / pair.moving.frame.diagonal_um)


def test_turned_mirrored_torn_tissue_in_another_stain_is_found(pair: PhantomPair) -> None:
    told: list[tuple[str, float]] = []
    result = register_slides(
        pair.fixed,
        pair.moving,
        RegisterConfig.preset("fast"),
        progress=lambda *news: told.append(news),
    )
    assert result.status in ("ok", "fallback"), result.reason
    assert median_rtre(pair, result.transform) < 0.01
    assert folded_share(result.transform, pair.fixed.frame.fit(256)) == 0
    assert result.evidence is not None
    assert result.evidence.share > 0.5 > result.evidence.area_spread
    assert 0 < result.predicted_rtre <= result.bound_rtre
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert [stage.name for stage in result.stages] == ["prepare", "search", "affine", "deformable"]


def test_the_same_seed_gives_the_same_answer(pair: PhantomPair) -> None:
    points = pair.fixed_landmarks.points_um
    first, second = (
        register_slides(pair.fixed, pair.moving, RegisterConfig.preset("fast")) for _ in range(2)
    )
    np.testing.assert_allclose(first.transform(points), second.transform(points), atol=1e-3)


def test_nothing_of_the_slides_is_kept_afterwards(
    pair: PhantomPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[weakref.ref[Section]] = []

    def noted(*arguments: Any) -> Section:
        section = section_of(*arguments)
        assert section is not None
        seen.append(weakref.ref(section))
        return section

    monkeypatch.setattr("stainbridge.registration.pipeline.section_of", noted)
    result = register_slides(pair.fixed, pair.moving, RegisterConfig.preset("fast"))
    gc.collect()
    assert result.transform is not None
    assert len(seen) == 2
    assert [section() for section in seen] == [None, None]


BLIND = SearchConfig(angles=1, scales=1, candidates=1, hypotheses=1, features_px=32)


def test_where_a_search_does_not_convince_another_one_may(pair: PhantomPair) -> None:
    told: list[tuple[str, float]] = []
    once = replace(RegisterConfig.preset("fast"), search=BLIND, search_again=None)
    twice = replace(once, search_again=RegisterConfig.preset("fast").search)
    assert register_slides(pair.fixed, pair.moving, once).status == "failed"
    result = register_slides(
        pair.fixed, pair.moving, twice, progress=lambda *news: told.append(news)
    )
    assert result.status == "ok", result.reason
    assert median_rtre(pair, result.transform) < 0.01
    names = [stage.name for stage in result.stages]
    assert names == ["prepare", "first search", "search", "affine", "deformable"]
    assert not result.stages[1].accepted
    shares = [share for _, share in told]
    assert shares == sorted(shares)


def test_a_second_search_that_finds_nothing_better_changes_nothing(pair: PhantomPair) -> None:
    narrow = replace(RegisterConfig.preset("fast"), deformable=None, search_again=BLIND)
    doubted = partial(replace, status="fallback")
    alone, twice = (
        register_slides(
            pair.fixed, pair.moving, config, judge=lambda evidence: doubted(calibrated()(evidence))
        )
        for config in (replace(narrow, search_again=None), narrow)
    )
    assert [stage.name for stage in twice.stages] == [
        "prepare",
        "search",
        "affine",
        "second search",
    ]
    assert not twice.stages[-1].accepted
    points = pair.fixed_landmarks.points_um
    np.testing.assert_allclose(alone.transform(points), twice.transform(points), atol=1e-3)


def test_a_given_start_replaces_the_search(pair: PhantomPair) -> None:
    points = pair.fixed_landmarks.points_um
    rows = np.linalg.lstsq(
        np.c_[points, np.ones(len(points))], pair.moving_landmarks.points_um, rcond=None
    )[0].T
    start = Affine(np.vstack([rows, [0, 0, 1]]), pair.fixed.frame.space, pair.moving.frame.space)
    result = register_slides(pair.fixed, pair.moving, RegisterConfig.preset("fast"), start=start)
    assert median_rtre(pair, result.transform) < 0.01


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(pair: PhantomPair) -> None:
    with pytest.raises(InputError, match="no CUDA device"):
        register_slides(pair.fixed, pair.moving, RegisterConfig(device="cuda"))


def test_a_blank_slide_fails_with_its_name() -> None:
    tissue = generate_pair(seed=1, size_px=256, mpp=16.0).fixed
    blank = ArraySlide(np.full((3, 300, 300), 244, np.uint8))
    result = register_slides(tissue, blank, RegisterConfig.preset("fast"))
    assert result.status == "failed"
    assert "moving" in result.reason
    with pytest.raises(RegistrationError, match="no tissue"):
        _ = result.transform


def test_slides_of_different_tissues_fail() -> None:
    one = generate_pair(seed=11, size_px=512, mpp=8.0, tear=False).fixed
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:500, :420] / 400 - 0.5
    stripes = 120 + 80 * np.sin(25 * x + 9 * np.sin(4 * y)) + rng.normal(0, 10, y.shape)
    other = np.where(np.maximum(abs(x), abs(y)) < 0.45, stripes, 240)
    config = replace(RegisterConfig.preset("fast"), tiles=TilesConfig())
    result = register_slides(one, ArraySlide(np.repeat(other[None].astype(np.uint8), 3, 0)), config)
    assert result.status == "failed"
    assert result.solution is None
    names = {stage.name for stage in result.stages}
    assert {"first search", "second search"} & names  # not given up at once
    assert "tiles" not in names  # there is nothing to refine
