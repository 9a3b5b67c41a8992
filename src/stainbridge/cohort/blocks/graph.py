"""The best chain of pairwise registrations between two slides of a block."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

#: A direct registration that is `ok` stands unless a chain expects less than this share of its
#: error: predicted errors are not exact, and every link of a chain adds one.
CLEARLY_BETTER = 0.5
#: A direct registration with doubt stands unless a chain of less doubt expects less than this share
#: of its error. Measured in docs/results/cohort.md.
SAFER_BETTER = 0.8


@dataclass(frozen=True)
class Link:
    """The registration of two slides."""

    fixed: str
    """The slide that stays in place."""
    moving: str
    """The slide that is aligned to it."""
    is_ok: bool
    """Whether its verdict is `ok`, and not `fallback`."""
    error_um: float
    """Its predicted error."""


@dataclass(frozen=True)
class Path:
    """A chain of registrations from one slide to another."""

    slides: tuple[str, ...]
    """The slides, in their order."""
    doubtful: int
    """How many of its links are not `ok`."""
    error_um: float
    """Its predicted error: that of independent links, the root of the sum of squares."""

    @property
    def is_direct(self) -> bool:
        """Whether no slide lies between."""
        return len(self.slides) == 2


def choose_path(links: Sequence[Link], start: str, end: str) -> Path | None:
    """Return the chain of links to take from one slide to another; None where there is none.

    It is the direct link, unless there is none or a chain is clearly better: one of fewer doubtful
    links that expects four fifths of its error, or one that expects half of it.
    """
    best = find_best_path(links, start, end)
    direct = find_best_path([link for link in links if _joins(link, start, end)], start, end)
    if best is None or direct is None or best.is_direct:
        return direct or best
    is_safer = best.doubtful < direct.doubtful and best.error_um < SAFER_BETTER * direct.error_um
    is_better = best.error_um < CLEARLY_BETTER * direct.error_um
    return best if is_safer or (is_better and best.doubtful <= direct.doubtful) else direct


def find_best_path(links: Iterable[Link], start: str, end: str) -> Path | None:
    """Return the chain with the fewest doubtful links and then the least error (Dijkstra).

    Links lead both ways. Of equal chains the first by the names of its slides is returned.
    """
    neighbours: dict[str, list[tuple[str, Link]]] = {}
    for link in links:
        neighbours.setdefault(link.fixed, []).append((link.moving, link))
        neighbours.setdefault(link.moving, []).append((link.fixed, link))
    waiting: list[tuple[int, float, tuple[str, ...]]] = [(0, 0.0, (start,))]
    done: set[str] = set()
    while waiting:
        doubtful, square, slides = heapq.heappop(waiting)
        last = slides[-1]
        if last == end:
            return Path(slides, doubtful, math.sqrt(square))
        if last in done:
            continue
        done.add(last)
        for name, link in neighbours.get(last, []):
            if name not in done:
                cost = (doubtful + (not link.is_ok), square + link.error_um**2, (*slides, name))
                heapq.heappush(waiting, cost)
    return None


def list_detours(links: Sequence[Link], path: Path) -> Iterator[tuple[str, ...]]:
    """Yield the other ways of at most two links between the ends of a path, by their slides."""
    start = path.slides[0]
    end = path.slides[-1]
    names = sorted({name for link in links for name in (link.fixed, link.moving)})
    ways = [(start, end), *((start, name, end) for name in names if name not in (start, end))]
    for slides in ways:
        is_possible = all(any(_joins(link, a, b) for link in links) for a, b in pairwise(slides))
        if slides != path.slides and is_possible:
            yield slides


def _joins(link: Link, first: str, second: str) -> bool:
    return {link.fixed, link.moving} == {first, second}
