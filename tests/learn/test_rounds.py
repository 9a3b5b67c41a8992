"""Samples that go round a limited number of things."""

from __future__ import annotations

import numpy as np
import pytest

from stainbridge.learn.rounds import find_source, shuffle_index


def test_each_round_shows_every_thing_once_in_an_order_of_its_own() -> None:
    rounds = [[shuffle_index(turn * 10 + place, 10, 3) for place in range(10)] for turn in range(3)]
    assert all(sorted(shown) == list(range(10)) for shown in rounds)
    assert len({tuple(shown) for shown in rounds}) == 3
    assert shuffle_index(4, 10, 3) != shuffle_index(4, 10, 3, 1)


@pytest.mark.parametrize(("cached", "uses"), [(1, 1), (3, 4), (4, 2)])
def test_every_source_is_used_as_often_and_few_are_cached(cached: int, uses: int) -> None:
    sources = [find_source(number, cached, uses)[0] for number in range(20 * cached * uses)]
    # the first sources are replaced early, the last ones are still in use
    counts = np.bincount(sources)[cached : -2 * cached]
    assert set(counts) == {uses}
    for first in range(len(sources) - cached):
        assert len(set(sources[first : first + cached])) == cached


def test_uses_of_a_source_are_numbered() -> None:
    uses: dict[int, list[int]] = {}
    for number in range(48):
        source, use = find_source(number, 3, 4)
        uses.setdefault(source, []).append(use)
    complete = [numbers for source, numbers in uses.items() if 3 <= source < 9]
    assert all(numbers == [0, 1, 2, 3] for numbers in complete)
