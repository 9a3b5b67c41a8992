"""Overlapping tiles over a picture: where they lie, and how they give way to one another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import ceil, floor

import numpy as np
import numpy.typing as npt

from stainbridge.types import Plane


@dataclass(frozen=True)
class TileAxis:
    """Overlapping tiles along one side of a picture.

    Neighbours meet at a border. Over `blend` pixels around it one gives way to the other linearly,
    so that the weights of all tiles sum to one.
    """

    length: int
    """Pixels that the tiles cover."""
    count: int
    """Number of tiles."""
    tile: int
    """Pixels of a tile."""
    stride: int
    """Pixels from one tile's first pixel to the next one's."""
    margin: float
    """Pixels from a tile's first pixel to its border with the tile before."""
    blend: int
    """Pixels over which a tile gives way to the next."""
    origin: int = 0
    """First pixel of the first tile; below 0 where tiles reach beyond the picture."""
    period: int = 1
    """A tile that ends beyond the picture is cut short to a multiple of this many pixels."""

    @classmethod
    def inside(cls, length: int, tile: int, overlap: int, step: int, blend: int) -> TileAxis:
        """Plan tiles that begin at 0, at multiples of `step`, and cover `length` pixels or more.

        Neighbours share at least `overlap` pixels where the step allows it, and meet in the middle
        of what they share. A side shorter than a tile has one shorter tile.
        """
        shorter = min(tile, -(-length // step) * step)
        stride = max(step, (tile - overlap) // step * step)
        count = 1 + max(0, -(-(length - shorter) // stride))
        covered = (count - 1) * stride + shorter
        return cls(covered, count, shorter, stride, (shorter - stride) / 2, blend)

    @classmethod
    def beyond(cls, length: int, stride: int, margin: int, blend: int, period: int) -> TileAxis:
        """Plan tiles that reach `margin` pixels beyond their borders, and beyond the picture.

        Borders lie at multiples of `stride`, the first and the last at the picture's edges.
        """
        count = -(-length // stride)
        return cls(length, count, stride + 2 * margin, stride, margin, blend, -margin, period)

    def window(self, index: int) -> tuple[int, int]:
        """Return the first pixel of a tile and the one after its last, in whole periods."""
        first = self.origin + index * self.stride
        stop = min(first + self.tile, self.length - self.origin)
        return first, first + -(-(stop - first) // self.period) * self.period

    def support(self, index: int) -> tuple[int, int]:
        """Return the first pixel where a tile has weight and the one after the last."""
        first = floor(self.border(index) - self.blend / 2)
        stop = ceil(self.border(index + 1) + self.blend / 2)
        return (
            0 if index == 0 else max(0, first),
            self.length if index == self.count - 1 else min(self.length, stop),
        )

    def shrink_window(self, index: int, start: int, stop: int) -> tuple[int, int]:
        """Return the part of a tile's window that its pixels from `start` to `stop` depend on.

        They lie in its support, and keep its margin on both sides. The part begins at the tile's
        phase of the period and has whole periods.
        """
        first, last = self.window(index)
        supported_start, supported_stop = self.support(index)
        periods_before = (start - supported_start) // self.period
        periods_after = (supported_stop - stop) // self.period
        return first + periods_before * self.period, last - periods_after * self.period

    def border(self, index: int) -> float:
        """Return the position of a tile's border with the tile before, in pixels."""
        return self.origin + index * self.stride + self.margin

    def tiles_at(self, start: float, stop: float) -> range:
        """Return the tiles that have weight between two positions, in pixels."""
        half = self.blend / 2
        first = int((start - half - self.border(0)) // self.stride)
        last = int((stop + half - self.border(0)) // self.stride)
        final = self.count - 1
        return range(min(max(first, 0), final), min(max(last, 0), final) + 1)

    def weight(self, index: int, positions: npt.NDArray[np.float64]) -> Plane:
        """Return the weights (N,) of a tile at positions (N,) in pixels, 0 … 1."""
        weight = np.ones(len(positions), np.float32)
        if index > 0:
            weight *= self._ramp(positions - self.border(index))
        if index < self.count - 1:
            weight *= self._ramp(self.border(index + 1) - positions)
        return weight

    def _ramp(self, distance: npt.NDArray[np.float64]) -> Plane:
        """Return 0 … 1 by the distance from a border in pixels, 0.5 on it."""
        return np.clip(distance / self.blend + 0.5, 0, 1).astype(np.float32)


@dataclass(frozen=True)
class TileGrid:
    """Rows and columns of overlapping tiles over a picture."""

    down: TileAxis
    """The rows."""
    across: TileAxis
    """The columns."""

    @property
    def count(self) -> int:
        """Number of tiles."""
        return self.down.count * self.across.count

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Iterate over the tiles' rows and columns, in reading order."""
        return product(range(self.down.count), range(self.across.count))

    def tiles_at(
        self, top: float, bottom: float, left: float, right: float
    ) -> Iterator[tuple[int, int]]:
        """Iterate over the tiles that have weight in a box, in pixels."""
        return product(self.down.tiles_at(top, bottom), self.across.tiles_at(left, right))

    def weight(
        self,
        row: int,
        column: int,
        y: npt.NDArray[np.float64],
        x: npt.NDArray[np.float64],
    ) -> Plane:
        """Return the weights (H, W) of a tile at rows y (H,) and columns x (W,), in pixels."""
        return np.outer(self.down.weight(row, y), self.across.weight(column, x))
