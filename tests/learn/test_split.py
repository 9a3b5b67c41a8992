"""The one rule for validation items."""

from __future__ import annotations

import pytest

from stainbridge.learn.split import split_validation


def test_every_fifth_item_is_validated_on() -> None:
    training, validation = split_validation(range(12))
    assert list(validation) == [0, 5, 10]
    assert list(training) == [1, 2, 3, 4, 6, 7, 8, 9, 11]


@pytest.mark.parametrize("count", [0, 1, 4])
def test_few_items_are_shared(count: int) -> None:
    split = split_validation(tuple(range(count)))
    assert split.is_shared
    assert split.training == split.validation == tuple(range(count))
    assert not split_validation(tuple(range(5))).is_shared


@pytest.mark.parametrize(("count", "validation"), [(2, [1]), (9, [8]), (10, [8, 9])])
def test_the_last_fifth_is_validated_on_from_the_end(count: int, validation: list[int]) -> None:
    split = split_validation(range(count), from_end=True)
    assert list(split.validation) == validation
    assert [*split.training, *split.validation] == list(range(count))
    assert split_validation(range(1), from_end=True).is_shared
