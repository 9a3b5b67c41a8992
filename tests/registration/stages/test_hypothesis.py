"""Candidates are ordered by score and told apart by where they take the frame's corners."""

from __future__ import annotations

import numpy as np
from tests.registration.pictures import draw_tissue, section_of

from stainbridge.registration.stages.hypothesis import (
    Hypothesis,
    select_distinct,
    sort_hypotheses,
)


def shift_right(pixels: float, score: float = 0.0) -> Hypothesis:
    matrix = np.eye(3)
    matrix[0, 2] = pixels
    return Hypothesis(matrix, score)


def test_hypotheses_are_sorted_best_first_and_ties_keep_their_order() -> None:
    low, first, second = shift_right(0, 0.1), shift_right(1, 0.5), shift_right(2, 0.5)
    assert sort_hypotheses([low, first, second]) == [first, second, low]


def test_of_hypotheses_in_one_place_the_first_is_selected() -> None:
    fixed = section_of(draw_tissue(), "fixed")
    apart = 0.1 * fixed.radius_um
    hypotheses = [
        shift_right(0),
        shift_right(0.9 * apart),
        shift_right(1.1 * apart),
        shift_right(2.5 * apart),
    ]
    chosen = select_distinct(hypotheses, fixed, 9, 0.1)
    assert chosen == [hypotheses[0], hypotheses[2], hypotheses[3]]
    assert select_distinct(hypotheses, fixed, 2, 0.1) == [hypotheses[0], hypotheses[2]]


def test_the_distance_that_tells_placements_apart_grows_with_their_scale() -> None:
    fixed = section_of(draw_tissue(), "fixed")
    twice = np.diag([2.0, 2.0, 1.0])
    near = twice.copy()
    near[0, 2] = 0.15 * fixed.radius_um
    assert len(select_distinct([Hypothesis(twice, 0), Hypothesis(near, 0)], fixed, 9, 0.1)) == 1


def test_of_no_hypotheses_none_is_selected() -> None:
    assert select_distinct([], section_of(draw_tissue(), "fixed"), 3, 0.1) == []
