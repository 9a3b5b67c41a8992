"""Tiles that a network is shown so that what it makes of them fits together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stainbridge.errors import InputError
from stainbridge.types import Plane

#: Over how many pixels a tile gives way to its neighbour where both agree.
BLEND_PX = 32
USUAL_PX = 1024


@dataclass(frozen=True)
class TileAxis:
    """Tiles along one side, `length` pixels, of a picture: tile i is the `stride` pixels from
    i·stride on.

    It gives way to its neighbours over `blend` pixels about each border. The network is shown
    `before` more pixels on both sides; where that is its reach and half of `blend`, its tiles agree
    wherever they overlap, to rounding. All begin at the same phase of its `period`.
    """

    length: int
    stride: int
    before: int
    blend: int
    period: int

    @classmethod
    def of(cls, length: int, tile_px: int, reach: int, period: int) -> TileAxis:
        """For a network that is shown `tile_px` a side, at least a half of it new.

        One that reaches further than a quarter of a tile gives way more slowly. Raises `InputError`
        for tiles shorter than `least_tile(period)`.
        """
        if tile_px < least_tile(period):
            raise InputError(
                "tiles too small for the network",
                expected=f"at least {least_tile(period)}",
                got=tile_px,
            )
        step = max(1, period // 2)
        exact = exact_tile(reach, period) // 4
        before = min(exact, tile_px // 4 // step * step)
        stride = (tile_px - 2 * before) // period * period
        return cls(length, stride, before, BLEND_PX if before == exact else before, period)

    @property
    def count(self) -> int:
        """How many tiles there are."""
        return -(-self.length // self.stride)

    def span(self, index: int) -> tuple[int, int]:
        """First and last-plus-one pixel that a tile has a say in."""
        first = index * self.stride - self.blend // 2
        return max(0, first), min(self.length, first + self.stride + self.blend)

    def seen(self, index: int) -> tuple[int, int]:
        """First and last-plus-one pixel that the network is shown, also beyond the picture; whole
        periods.
        """
        first = index * self.stride - self.before
        stop = min(first + self.stride + 2 * self.before, self.length + self.before)
        return first, first + -(-(stop - first) // self.period) * self.period

    def touching(self, start: float, stop: float) -> range:
        """The tiles that have a say between two places, in pixels."""
        half = self.blend / 2
        first, last = (int((at) // self.stride) for at in (start - half, stop + half))
        return range(max(0, first), min(self.count, last + 1))

    def weight(self, index: int, start: int, stop: int, factor: int = 1) -> Plane:
        """What a tile's say weighs in samples `start` to `stop`, `factor` of them a pixel, (N,);
        over tiles 1.
        """
        place = (np.arange(start, stop) + 0.5) / factor - index * self.stride
        rise = np.ones(len(place)) if index == 0 else np.clip(place / self.blend + 0.5, 0, 1)
        left = self.stride - place
        fall = (
            np.ones(len(place))
            if index == self.count - 1
            else np.clip(left / self.blend + 0.5, 0, 1)
        )
        return np.asarray(rise * fall, np.float32)


def exact_tile(reach: int, period: int) -> int:
    """The smallest side of tiles that fit together exactly, for a network of `reach` and `period`."""
    return 4 * (-(-(reach + BLEND_PX // 2) // period) * period)


def usual_tile(reach: int, period: int) -> int:
    """A side of tiles that needs about 2 GB with the published generators; larger where they reach
    further.
    """
    return USUAL_PX if exact_tile(reach, period) <= USUAL_PX else 2 * USUAL_PX


def least_tile(period: int) -> int:
    """The smallest side of tiles for a network of `period`."""
    return max(4 * BLEND_PX, 2 * period)
