"""A level stored as tiles: a box of pixels is assembled from the tiles that it touches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from stainbridge.geometry.flat import flatten_one_colour, is_flat, make_flat
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
    identify: Callable[[int, int], Hashable] | None = None
    """Tells tiles of a row and column apart where several are stored once; None: all differ."""

    def region(self, x: int, y: int, width: int, height: int) -> Interleaved:
        """Return (height, width, C) of a box that lies inside the level.

        Where all its tiles have one colour the pixels are as `make_flat` makes them.
        """
        tile_width, tile_height = self.tile_size
        rows = range(y // tile_height, (y + height - 1) // tile_height + 1)
        columns = range(x // tile_width, (x + width - 1) // tile_width + 1)
        tiles = {place: self._tile(*place) for place in product(rows, columns)}
        colour = _find_colour(tiles.values())
        if colour is not None:
            return make_flat(colour, height, width)
        out = np.empty((height, width, self.channels), self.dtype)
        for (row, column), tile in tiles.items():
            top = row * tile_height
            left = column * tile_width
            y0 = max(y, top)
            y1 = min(y + height, top + tile_height)
            x0 = max(x, left)
            x1 = min(x + width, left + tile_width)
            out[y0 - y : y1 - y, x0 - x : x1 - x] = tile[y0 - top : y1 - top, x0 - left : x1 - left]
        return out

    def _tile(self, row: int, column: int) -> Interleaved:
        place = (row, column) if self.identify is None else self.identify(row, column)
        return self.cache.get(
            (self.key, place), lambda: flatten_one_colour(self.decode(row, column))
        )


def _find_colour(tiles: Collection[Interleaved]) -> npt.NDArray[Any] | None:
    """Return the one colour (C,) of all tiles, None where they have several."""
    if not all(is_flat(tile) for tile in tiles):
        return None
    first, *others = (tile[0, 0] for tile in tiles)
    return first if all(np.array_equal(first, colour) for colour in others) else None
