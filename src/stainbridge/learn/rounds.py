"""Which thing a sample is made from, where samples go round a limited number of things."""

from __future__ import annotations

import numpy as np


def shuffle_index(number: int, count: int, seed: int, *more_seeds: int) -> int:
    """Return which of `count` things sample `number` shows.

    Each round of `count` samples shows every thing once, in an order of its own.
    """
    turn, place = divmod(number, count)
    order = np.random.default_rng([seed, turn, *more_seeds]).permutation(count)
    return int(order[place])


def find_source(number: int, cached: int, uses: int) -> tuple[int, int]:
    """Return which source sample `number` is made from, and its how manieth use this is.

    Samples go round `cached` sources. Each source is used `uses` times and then replaced, one after
    the other and not all at once, so that the work of preparing them is spread evenly.
    """
    turn, slot = divmod(number, cached)
    generation, use = divmod(turn + slot * uses // cached, uses)
    return generation * cached + slot, use
