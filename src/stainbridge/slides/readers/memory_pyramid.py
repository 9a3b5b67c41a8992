"""A pyramid in memory whose levels are made when they are first read."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock

from stainbridge.slides.readers.resample import Interleaved, reduce_blocks


class MemoryPyramid:
    """The levels of a picture, each made once, when first read, and then kept.

    Levels 0 to `last_decoded` come from `decode(level)`. Each further one is the level before it,
    halved by averaging. Thread-safe.
    """

    def __init__(self, decode: Callable[[int], Interleaved], last_decoded: int = 0) -> None:
        self._decode = decode
        self._last_decoded = last_decoded
        self._levels: dict[int, Interleaved] = {}
        self._lock = RLock()

    def region(self, level: int, x: int, y: int, width: int, height: int) -> Interleaved:
        """Return a copy of a box, (height, width, C)."""
        return self.level(level)[y : y + height, x : x + width].copy()

    def level(self, level: int) -> Interleaved:
        """Return (H, W, C) of a whole level; its sides are the first's ÷ 2^`level`, rounded up."""
        with self._lock:
            if level not in self._levels:
                self._levels[level] = self._make(level)
            return self._levels[level]

    def clear(self) -> None:
        """Forget the pixels."""
        with self._lock:
            self._levels.clear()

    def _make(self, level: int) -> Interleaved:
        if level <= self._last_decoded:
            return self._decode(level)
        return reduce_blocks(self.level(level - 1), (2, 2))
