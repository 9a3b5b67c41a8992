"""A level stored as tiles: the box of pixels wanted is put together from the tiles it touches."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from itertools import product
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stainbridge.slides.readers.resample import Interleaved
from stainbridge.slides.readers.tile_cache import TileCache


class StoredLevel(Protocol):
    """One level of a file: its size and any box of it."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        ...

    def region(self, x: int, y: int, width: int, height: int) -> Interleaved:
        """(height, width, C) of a box that lies inside the level. Thread-safe."""
        ...


@dataclass(frozen=True, eq=False)
class Mosaic:
    """A grid of tiles of `tile_size` (width, height) covering `size`.

    `decode(row, column)` gives a tile (H, W, C); those at the right and bottom edge may be cut or
    padded. `key` distinguishes this mosaic from others in the same `cache`.
    """

    size: tuple[int, int]
    tile_size: tuple[int, int]
    channels: int
    dtype: npt.DTypeLike
    decode: Callable[[int, int], Interleaved]
    cache: TileCache
    key: Hashable

    def region(self, x: int, y: int, width: int, height: int) -> Interleaved:
        """(height, width, C) of a box that lies inside the level."""
        out = np.empty((height, width, self.channels), self.dtype)
        across, down = self.tile_size
        rows, columns = (
            range(y // down, (y + height - 1) // down + 1),
            range(x // across, (x + width - 1) // across + 1),
        )
        for row, column in product(rows, columns):
            tile = self._tile(row, column)
            top, left = row * down, column * across
            y0, y1 = max(y, top), min(y + height, top + down)
            x0, x1 = max(x, left), min(x + width, left + across)
            out[y0 - y : y1 - y, x0 - x : x1 - x] = tile[y0 - top : y1 - top, x0 - left : x1 - left]
        return out

    def _tile(self, row: int, column: int) -> Interleaved:
        return self.cache.get((self.key, row, column), lambda: self.decode(row, column))
