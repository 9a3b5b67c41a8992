"""The best chain of registrations: few doubts, little error, and the direct one in doubt."""

from __future__ import annotations

import math
from itertools import permutations

import pytest

from stainbridge.cohort.blocks.graph import Link, choose_path, find_best_path, list_detours

DIRECT = Link("he", "er", True, 10.0)
FIRST = Link("he", "ki67", True, 3.0)
SECOND = Link("ki67", "er", True, 4.0)


def doubtful(link: Link, error_um: float) -> Link:
    return Link(link.fixed, link.moving, False, error_um)


def test_errors_of_a_chain_add_as_squares() -> None:
    path = find_best_path([FIRST, SECOND], "he", "er")
    assert path is not None
    assert path.slides == ("he", "ki67", "er")
    assert math.isclose(path.error_um, 5.0)


def test_links_lead_both_ways() -> None:
    path = find_best_path([FIRST, SECOND], "er", "he")
    assert path is not None
    assert path.slides == ("er", "ki67", "he")


def test_without_a_chain_there_is_no_path() -> None:
    assert find_best_path([FIRST], "he", "er") is None
    assert choose_path([FIRST], "he", "er") is None


def test_the_order_of_links_does_not_matter() -> None:
    links = [FIRST, SECOND, Link("he", "cd3", True, 3.0), Link("cd3", "er", True, 4.0)]
    found = {find_best_path(order, "he", "er") for order in permutations(links)}
    assert len(found) == 1
    assert found.pop().slides == ("he", "cd3", "er")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("links", "slides"),
    [
        ([DIRECT, FIRST, SECOND], ("he", "er")),  # 5 is half of 10, and not less
        ([Link("he", "er", True, 10.1), FIRST, SECOND], ("he", "ki67", "er")),
        ([doubtful(DIRECT, 6.5), FIRST, SECOND], ("he", "ki67", "er")),
        ([doubtful(DIRECT, 6.0), FIRST, SECOND], ("he", "er")),
        ([DIRECT, doubtful(FIRST, 0.1), SECOND], ("he", "er")),
        ([doubtful(FIRST, 3.0), SECOND], ("he", "ki67", "er")),
    ],
)
def test_the_direct_registration_stands_unless_a_chain_is_clearly_better(
    links: list[Link], slides: tuple[str, ...]
) -> None:
    path = choose_path(links, "he", "er")
    assert path is not None
    assert path.slides == slides


def test_detours_are_all_other_ways_of_two_links() -> None:
    links = [DIRECT, FIRST, SECOND, Link("he", "cd3", True, 3.0)]
    path = choose_path(links, "he", "er")
    assert path is not None
    assert list(list_detours(links, path)) == [("he", "ki67", "er")]
