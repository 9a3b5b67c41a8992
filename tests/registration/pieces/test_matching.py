"""Partners are those whose costs are least together; a piece may have none."""

from __future__ import annotations

import numpy as np

from stainbridge.registration.pieces.matching import (
    AMBIGUOUS_INDEX,
    IMPOSSIBLE,
    NO_PARTNER_INDEX,
    assign_partners,
    find_rival,
)


def test_the_sum_decides_and_not_the_best_pair() -> None:
    costs = np.array([[-5.0, -4.5], [-4.8, 1.0]])
    assert assign_partners(costs) == [(0, 1), (1, 0)]


def test_a_pair_that_is_worse_than_none_is_none() -> None:
    costs = np.array([[-4.0, 3.0], [3.5, NO_PARTNER_INDEX + 0.1]])
    assert assign_partners(costs) == [(0, 0)]
    assert assign_partners(np.full((2, 3), IMPOSSIBLE)) == []


def test_one_of_two_like_pieces_is_left_alone() -> None:
    assert assign_partners(np.array([[-4.0], [-4.5]])) == [(1, 0)]


def test_the_rival_is_the_best_other_of_row_and_column() -> None:
    costs = np.array([[-5.0, 2.0], [-5.0 + AMBIGUOUS_INDEX / 2, -4.0]])
    assert find_rival(costs, 0, 0) == -5.0 + AMBIGUOUS_INDEX / 2
    assert find_rival(np.array([[-5.0]]), 0, 0) == np.inf
