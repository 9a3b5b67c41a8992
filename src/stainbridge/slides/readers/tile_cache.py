"""A cache of decoded tiles, shared by the threads that read a slide."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from itertools import islice
from threading import Lock

from stainbridge.slides.readers.resample import Interleaved


class TileCache:
    """A cache of at most `budget_bytes` of tiles; the one unused for longest is dropped first.

    Thread-safe: a tile that several threads want at once is decoded once, outside the lock. Tiles
    are shared, so their arrays are made read-only.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._used_bytes = 0
        self._lock = Lock()
        self._tiles: OrderedDict[Hashable, Future[Interleaved]] = OrderedDict()

    def get(self, key: Hashable, decode: Callable[[], Interleaved]) -> Interleaved:
        """Return the tile of `key`, from `decode` when it is not cached.

        What `decode` raises is raised, and nothing is cached.
        """
        with self._lock:
            future = self._tiles.get(key)
            is_new = future is None
            if future is None:
                future = self._tiles[key] = Future()
            else:
                self._tiles.move_to_end(key)
        if is_new:
            self._fill(key, future, decode)
        return future.result()

    def clear(self) -> None:
        """Forget all tiles."""
        with self._lock:
            self._tiles.clear()
            self._used_bytes = 0

    def _fill(
        self, key: Hashable, future: Future[Interleaved], decode: Callable[[], Interleaved]
    ) -> None:
        try:
            tile = decode()
        except BaseException as error:
            with self._lock:
                self._tiles.pop(key, None)
            future.set_exception(error)
            return
        tile.flags.writeable = False
        future.set_result(tile)
        with self._lock:
            if self._tiles.get(key) is future:
                self._used_bytes += tile.nbytes
                self._drop_oldest()

    def _drop_oldest(self) -> None:
        over_bytes = self._used_bytes - self._budget_bytes
        oldest = []
        for key, future in islice(self._tiles.items(), len(self._tiles) - 1):
            if over_bytes <= 0:
                break
            if future.done():
                over_bytes -= future.result().nbytes
                oldest.append(key)
        for key in oldest:
            self._used_bytes -= self._tiles.pop(key).result().nbytes
