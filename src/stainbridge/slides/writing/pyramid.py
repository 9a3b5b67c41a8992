"""The pyramid of a slide being written: its sizes, the order of its tiles, and each level made from
the tiles below.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import cv2
import numpy as np

from stainbridge.geometry.warp import Interleaved

Reduction = Literal["mean", "nearest"]

#: Tiles are made in stripes this wide, top to bottom: a reader that looks around its tile finds its
#: cache warm, and no more than about two tile rows of a stripe wait for their neighbours, however
#: large the slide.
STRIPE_TILES = 8


@dataclass(frozen=True, slots=True)
class TileKey:
    """Which tile: level (0 = full resolution), row, column."""

    level: int
    row: int
    column: int


@dataclass(frozen=True)
class Pyramid:
    """Levels halved, rounding down, until one fits a tile; `sizes` are (height, width), finest
    first.
    """

    height: int
    width: int
    tile: int

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """(height, width) of each level."""
        sizes = [(self.height, self.width)]
        while max(sizes[-1]) > self.tile:
            height, width = sizes[-1]
            sizes.append((max(1, height // 2), max(1, width // 2)))
        return tuple(sizes)

    def counts(self, level: int) -> tuple[int, int]:
        """Rows and columns of tiles of a level."""
        height, width = self.sizes[level]
        return -(-height // self.tile), -(-width // self.tile)

    def shape(self, key: TileKey) -> tuple[int, int]:
        """(height, width) of the part of a tile that lies inside its level."""
        height, width = self.sizes[key.level]
        return min(self.tile, height - key.row * self.tile), min(
            self.tile, width - key.column * self.tile
        )

    def parent(self, key: TileKey) -> TileKey | None:
        """The tile that this one is reduced into, None at the top."""
        if key.level + 1 >= len(self.sizes):
            return None
        return TileKey(key.level + 1, key.row // 2, key.column // 2)

    def quarter_shape(self, key: TileKey) -> tuple[int, int]:
        """(height, width) that a tile takes in its parent; 0 where rounding down leaves nothing."""
        half = self.tile // 2
        height, width = self.sizes[key.level + 1]
        return (
            max(0, min(half, height - key.row * half)),
            max(0, min(half, width - key.column * half)),
        )

    def order(self) -> Iterator[TileKey]:
        """All full-resolution tiles, stripe by stripe."""
        rows, columns = self.counts(0)
        for left in range(0, columns, STRIPE_TILES):
            for row in range(rows):
                for column in range(left, min(left + STRIPE_TILES, columns)):
                    yield TileKey(0, row, column)


@dataclass
class _Waiting:
    pixels: Interleaved
    missing: int


@dataclass
class ParentTiles:
    """Collects reduced tiles into their parents; holds only parents that still wait for a child."""

    pyramid: Pyramid
    _waiting: dict[TileKey, _Waiting] = field(default_factory=dict)

    def add(self, key: TileKey, quarter: Interleaved) -> tuple[TileKey, Interleaved] | None:
        """Place the reduced tile `key` (H, W, C); its parent and the parent's pixels once they are
        complete.
        """
        parent = self.pyramid.parent(key)
        if parent is None or 0 in quarter.shape:
            return None
        waiting = self._waiting.get(parent)
        if waiting is None:
            height, width = self.pyramid.shape(parent)
            pixels = np.empty((height, width, quarter.shape[2]), quarter.dtype)
            half = self.pyramid.tile // 2
            waiting = self._waiting[parent] = _Waiting(
                pixels, -(-height // half) * -(-width // half)
            )
        y, x = (index % 2 * (self.pyramid.tile // 2) for index in (key.row, key.column))
        waiting.pixels[y : y + quarter.shape[0], x : x + quarter.shape[1]] = quarter
        waiting.missing -= 1
        if waiting.missing:
            return None
        del self._waiting[parent]
        return parent, waiting.pixels


_Shape: TypeAlias = tuple[int, int]


def halve(pixels: Interleaved, shape: _Shape, how: Reduction = "mean") -> Interleaved:
    """(H, W, C) reduced to `shape` = (h, w): means of 2 x 2 pixels, rounded, or the top-left one of
    each four.

    A last odd row or column is dropped; a side of one pixel stays one.
    """
    height, width = shape
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
