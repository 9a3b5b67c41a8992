"""Decoded tiles last used, shared by the threads that read a slide."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock

from stainbridge.slides.readers.resample import Interleaved


class TileCache:
    """Keeps at most `budget_bytes` of tiles, dropping the one unused for longest.

    Thread-safe; a tile wanted by several threads at once is decoded once, outside the lock. Tiles
    are shared: their arrays are made read-only.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget, self._held = budget_bytes, 0
        self._lock = Lock()
        self._tiles: OrderedDict[Hashable, Future[Interleaved]] = OrderedDict()

    def get(self, key: Hashable, decode: Callable[[], Interleaved]) -> Interleaved:
        """The tile of `key`, from `decode` when it is not held.

        What `decode` raises is raised, and nothing kept.
        """
        with self._lock:
            future = self._tiles.get(key)
            mine = future is None
            if future is None:
                future = self._tiles[key] = Future()
            else:
                self._tiles.move_to_end(key)
        if mine:
            self._fill(key, future, decode)
        return future.result()

    def clear(self) -> None:
        """Forget all tiles."""
        with self._lock:
            self._tiles.clear()
            self._held = 0

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
                self._held += tile.nbytes
                self._drop_oldest()

    def _drop_oldest(self) -> None:
        for key in list(self._tiles):
            if self._held <= self._budget or len(self._tiles) == 1:
                return
            if self._tiles[key].done():
                self._held -= self._tiles.pop(key).result().nbytes
