"""A pyramid in memory, made by halving as it is needed."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock

from stainbridge.slides.readers.resample import Interleaved, reduce_blocks


class MemoryPyramid:
    """Levels 0 to `decoded` come from `decode(level)`; each further one is the level before it,
    halved by averaging.

    Every level is made once, when first wanted, and kept. Thread-safe.
    """

    def __init__(self, decode: Callable[[int], Interleaved], decoded: int = 0) -> None:
        self._decode, self._decoded = decode, decoded
        self._levels: dict[int, Interleaved] = {}
        self._lock = RLock()

    def region(self, level: int, x: int, y: int, width: int, height: int) -> Interleaved:
        """A copy of a box, (height, width, C)."""
        return self.level(level)[y : y + height, x : x + width].copy()

    def level(self, level: int) -> Interleaved:
        """(H, W, C) of a whole level; its width and height are the first's ÷ 2^`level`, rounded up."""
        with self._lock:
            if level not in self._levels:
                made = (
                    self._decode(level)
                    if level <= self._decoded
                    else reduce_blocks(self.level(level - 1), (2, 2))
                )
                self._levels[level] = made
            return self._levels[level]

    def clear(self) -> None:
        """Let go of the pixels."""
        with self._lock:
            self._levels.clear()
