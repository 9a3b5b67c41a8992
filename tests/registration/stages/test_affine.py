"""Affine refinement moves candidates to the right place and keeps the best distinct ones."""

from __future__ import annotations

import numpy as np
from tests.registration.pictures import SIZE, draw_tissue, section_of, similarity_matrix

from stainbridge.registration.config import AffineConfig, SearchConfig
from stainbridge.registration.stages.affine import (
    SHARED_SAMPLES,
    rank_hypotheses,
    refine_hypotheses,
)
from stainbridge.registration.stages.hypothesis import Hypothesis
from stainbridge.registration.stages.search import search_placements


def test_refinement_returns_its_survivors_best_first() -> None:
    fixed = section_of(draw_tissue(), "fixed")
    candidates = [
        Hypothesis(similarity_matrix(angle, False, 1, SIZE), 0.0) for angle in (0.0, 90.0)
    ]
    config = AffineConfig(sizes_px=(96,), steps=(5,), survivors=(2,))
    best = refine_hypotheses(fixed, fixed, candidates, config)
    assert len(best) == 2
    assert best[0].score > best[1].score


def test_variations_in_the_second_round_bring_a_stretched_candidate_back() -> None:
    fixed = section_of(draw_tissue(), "fixed")
    stretched = Hypothesis(np.diag([1.12, 1 / 1.12, 1.0]), 0.0)
    config = AffineConfig(sizes_px=(64, 96, 128), steps=(5, 20, 20), survivors=(1, 2, 1), varied=1)
    (best,) = refine_hypotheses(fixed, fixed, [stretched], config)
    corners = np.c_[fixed.frame.corners_um, np.ones(4)]
    assert np.abs(corners @ (best.matrix - np.eye(3)).T).max() < 1.5


def test_many_candidates_are_ranked_as_they_are() -> None:
    fixed = section_of(draw_tissue(), "fixed")
    candidates = [
        Hypothesis(similarity_matrix(angle, flip, 1, SIZE), 0.0)
        for angle in range(-170, 190, 20)
        for flip in (False, True)
    ]
    near = Hypothesis(np.array([[1.0, 0.04, -6.0], [-0.04, 1.0, 8.0], [0, 0, 1]]), 0.0)
    best = rank_hypotheses(fixed, fixed, [*candidates, near, near], 3)
    assert len(best) == 3
    np.testing.assert_allclose(best[0].matrix, near.matrix, atol=1e-9)
    scores = [hypothesis.score for hypothesis in best]
    assert scores == sorted(scores, reverse=True)
    assert np.abs(best[1].matrix - near.matrix).max() > 1  # the same candidate twice is one


def test_any_number_of_threads_refines_alike() -> None:
    fixed = section_of(draw_tissue(), "fixed")
    candidates = search_placements(fixed, fixed, SearchConfig(angles=12, scales=3))[:16]
    config = AffineConfig(sizes_px=(96,), steps=(5,), survivors=(3,))
    assert len(candidates) * 96**2 >= SHARED_SAMPLES
    alone = refine_hypotheses(fixed, fixed, candidates, config, 1)
    shared = refine_hypotheses(fixed, fixed, candidates, config, 2)
    for one, other in zip(alone, shared, strict=True):
        np.testing.assert_allclose(one.matrix, other.matrix, atol=1e-4)
