"""The pyramid of a slide being written: sizes, order of tiles, and levels made of finer tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import cv2
import numpy as np

from stainbridge.geometry.flat import Canvas, is_flat, make_flat
from stainbridge.geometry.warp import Interleaved

Reduction = Literal["mean", "nearest"]

#: Width of a stripe, in tiles. Tiles are made in stripes, top to bottom: a reader then finds the
#: neighbours of a tile in its cache, and at most about two tile rows of a stripe wait for their
#: neighbours, however large the slide.
STRIPE_TILES = 8


@dataclass(frozen=True, slots=True)
class TileKey:
    """Which tile of a pyramid."""

    level: int
    """0 for full resolution."""
    row: int
    """Row of tiles in the level."""
    column: int
    """Column of tiles in the level."""


@dataclass(frozen=True)
class Pyramid:
    """Levels that halve, rounding down, until one fits a tile."""

    height: int
    """Rows at full resolution."""
    width: int
    """Columns at full resolution."""
    tile: int
    """Side of a tile, in pixels."""

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """(height, width) of each level, finest first."""
        sizes = [(self.height, self.width)]
        while max(sizes[-1]) > self.tile:
            height, width = sizes[-1]
            sizes.append((max(1, height // 2), max(1, width // 2)))
        return tuple(sizes)

    def count_tiles(self, level: int) -> tuple[int, int]:
        """Return the number of rows and columns of tiles of a level."""
        height, width = self.sizes[level]
        return -(-height // self.tile), -(-width // self.tile)

    def shape(self, key: TileKey) -> tuple[int, int]:
        """Return (height, width) of the part of a tile that lies inside its level."""
        height, width = self.sizes[key.level]
        rows = min(self.tile, height - key.row * self.tile)
        columns = min(self.tile, width - key.column * self.tile)
        return rows, columns

    def parent(self, key: TileKey) -> TileKey | None:
        """Return the tile that this one is reduced into, None at the coarsest level."""
        if key.level + 1 >= len(self.sizes):
            return None
        return TileKey(key.level + 1, key.row // 2, key.column // 2)

    def quarter_shape(self, key: TileKey) -> tuple[int, int]:
        """Return (height, width) of a tile in its parent; 0 where rounding down leaves nothing."""
        half = self.tile // 2
        height, width = self.sizes[key.level + 1]
        return (
            max(0, min(half, height - key.row * half)),
            max(0, min(half, width - key.column * half)),
        )

    def iterate_tiles(self) -> Iterator[TileKey]:
        """Yield all full-resolution tiles, stripe by stripe."""
        rows, columns = self.count_tiles(0)
        for left in range(0, columns, STRIPE_TILES):
            for row in range(rows):
                for column in range(left, min(left + STRIPE_TILES, columns)):
                    yield TileKey(0, row, column)


@dataclass
class _IncompleteTile:
    canvas: Canvas
    missing: int


@dataclass
class ParentTiles:
    """Reduced tiles collected into their parents; only parents that lack a child are held."""

    pyramid: Pyramid
    _incomplete: dict[TileKey, _IncompleteTile] = field(default_factory=dict)

    def add(self, key: TileKey, quarter: Interleaved) -> tuple[TileKey, Interleaved] | None:
        """Put the reduced tile `key` (H, W, C) into its parent.

        Return the parent and its pixels once they are complete, else None.
        """
        parent = self.pyramid.parent(key)
        if parent is None or 0 in quarter.shape:
            return None
        tile = self._incomplete.get(parent)
        if tile is None:
            height, width = self.pyramid.shape(parent)
            canvas = Canvas((height, width, quarter.shape[2]), quarter.dtype)
            half = self.pyramid.tile // 2
            tile = self._incomplete[parent] = _IncompleteTile(
                canvas, -(-height // half) * -(-width // half)
            )
        y, x = (index % 2 * (self.pyramid.tile // 2) for index in (key.row, key.column))
        tile.canvas.put((slice(y, y + quarter.shape[0]), slice(x, x + quarter.shape[1])), quarter)
        tile.missing -= 1
        if tile.missing:
            return None
        del self._incomplete[parent]
        return parent, tile.canvas.pixels


_Shape: TypeAlias = tuple[int, int]


def halve(pixels: Interleaved, shape: _Shape, how: Reduction = "mean") -> Interleaved:
    """Reduce (H, W, C) to `shape` = (h, w): rounded means of 2 x 2 pixels, or the top-left one.

    A last odd row or column is dropped; a side of one pixel stays one.
    """
    height, width = shape
    if is_flat(pixels):
        return make_flat(pixels[0, 0], height, width)
    even = pixels[: 2 * height, : 2 * width]
    if how == "nearest" or 0 in shape:
        return even[::2, ::2]
    short = [(0, 2 * n - have) for n, have in zip(shape, even.shape[:2], strict=True)]
    if short != [(0, 0), (0, 0)]:
        even = np.pad(even, [*short, (0, 0)], mode="edge")
    if even.dtype in (np.uint8, np.uint16, np.float32) and even.shape[2] <= 4:
        reduced = np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA))
        return reduced.reshape(height, width, even.shape[2])
    means = even.reshape(height, 2, width, 2, -1).mean(axis=(1, 3), dtype=np.float64)
    return np.asarray(np.floor(means + 0.5) if even.dtype.kind in "iu" else means, even.dtype)
