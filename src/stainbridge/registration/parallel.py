"""Independent pieces of work side by side, each on one core.

Pieces that share nothing keep all cores busy where one small tensor operation at a time, split over
the cores, spends its time on handing out work; and threads that do not spin for each other stay
quick on a busy machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def spread(work: Callable[[Item], Result], items: Sequence[Item], threads: int) -> list[Result]:
    """`work` of each item, in their order; what it raises is raised here."""
    if threads < 2 or len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(threads, len(items))) as pool:
        return list(pool.map(work, items))
