"""A level stored as tiles: a box of pixels is assembled from the tiles that it touches."""

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
        """Return (height, width, C) of a box that lies inside the level. Thread-safe."""
        ...


@dataclass(frozen=True, eq=False)
class Mosaic:
    """A grid of tiles that covers a level."""

    size: tuple[int, int]
    """(width, height) of the level, in pixels."""
    tile_size: tuple[int, int]
    """(width, height) of a tile, in pixels."""
    channels: int
    """Number of channels."""
    dtype: npt.DTypeLike
    """Type of the pixels."""
    decode: Callable[[int, int], Interleaved]
    """Gives the tile (H, W, C) of a row and column; tiles at the edge may be cropped or padded."""
    cache: TileCache
    """Keeps decoded tiles."""
    key: Hashable
    """Tells this level's tiles from others in the same cache."""

    def region(self, x: int, y: int, width: int, height: int) -> Interleaved:
        """Return (height, width, C) of a box that lies inside the level."""
        out = np.empty((height, width, self.channels), self.dtype)
        tile_width, tile_height = self.tile_size
        rows = range(y // tile_height, (y + height - 1) // tile_height + 1)
        columns = range(x // tile_width, (x + width - 1) // tile_width + 1)
        for row, column in product(rows, columns):
            tile = self._tile(row, column)
            top = row * tile_height
            left = column * tile_width
            y0 = max(y, top)
            y1 = min(y + height, top + tile_height)
            x0 = max(x, left)
            x1 = min(x + width, left + tile_width)
            out[y0 - y : y1 - y, x0 - x : x1 - x] = tile[y0 - top : y1 - top, x0 - left : x1 - left]
        return out

    def _tile(self, row: int, column: int) -> Interleaved:
        return self.cache.get((self.key, row, column), lambda: self.decode(row, column))
