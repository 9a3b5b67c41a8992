"""Which items of a data set are validated on instead of trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

#: One item in this many is validated on: the usual four to one.
VALIDATION_ONE_IN = 5


class Split(NamedTuple, Generic[T]):
    """Items to train on and items to validate on."""

    training: Sequence[T]
    """Items to train on, in their order."""
    validation: Sequence[T]
    """Items to validate on, in their order."""

    @property
    def is_shared(self) -> bool:
        """Whether there were too few items to split, so that both are all of them."""
        return self.training is self.validation


def split_validation(items: Sequence[T], *, from_end: bool = False) -> Split[T]:
    """Split items into four fifths to train on and one fifth to validate on.

    The first and then every fifth item is validated on; fewer than five items are not split. With
    `from_end` it is the last fifth, rounded down but at least one item, because neighbouring items
    show neighbouring places; a single item is not split. Items that are not split are both trained
    and validated on.
    """
    if from_end:
        count = max(1, len(items) // VALIDATION_ONE_IN)
        if count >= len(items):
            return Split(items, items)
        return Split(items[:-count], items[-count:])
    if len(items) < VALIDATION_ONE_IN:
        return Split(items, items)
    training = [item for number, item in enumerate(items) if number % VALIDATION_ONE_IN]
    return Split(training, items[::VALIDATION_ONE_IN])
