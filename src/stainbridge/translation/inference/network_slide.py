"""What a network makes of a slide is a slide, computed tile by tile as it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame
from stainbridge.slides.readers.channels import RGB, number_channels
from stainbridge.slides.readers.pyramid_slide import PyramidSlide
from stainbridge.slides.readers.resample import Interleaved
from stainbridge.slides.readers.tile_cache import TileCache
from stainbridge.slides.slide import Slide, SlideInfo
from stainbridge.translation.inference.parts import Parts
from stainbridge.translation.inference.tiling import TileAxis
from stainbridge.translation.inference.tissue_map import TissueMap
from stainbridge.types import Pixels

#: Made tiles that are held: two rows of them across what the writer makes at a time, and more.
CACHE_BYTES = 128 * 2**20
WHITE = 255

Tile = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Made:
    """What a network makes: `channels` of `stain`, `factor` pixels where it is shown one; `how`
    names the step.
    """

    how: str
    channels: int
    stain: str | None
    factor: int = 1


class NetworkSlide(PyramidSlide):
    """`slide` on the grid of `frame`, shown to `network` in tiles that fit together; 8 bits.

    `frame` is a frame of the slide's whole extent at the network's pixel size; the result begins at
    (0, 0) µm. Beyond the slide the network is shown its mirror. Where `tissue` says glass the
    result is white; of tiles that are glass only the network is not asked. `parts` keeps tiles from
    one process to the next. Reads of parts equal the parts of a whole read. Closing it closes
    `slide`.
    """

    def __init__(
        self,
        slide: Slide,
        frame: Frame,
        network: Callable[[Pixels], Tile],
        tiles: tuple[TileAxis, TileAxis],
        made: Made,
        tissue: TissueMap | None = None,
        parts: Parts | None = None,
    ) -> None:
        factor, channels = (
            made.factor,
            RGB if made.channels == 3 else number_channels(made.channels),
        )
        whole = replace(_finer(frame, factor), origin_um=(0.0, 0.0))
        source = slide.info
        info = SlideInfo(
            source.path, f"{made.how} {source.reader}", source.format, None, np.uint8, channels
        )
        super().__init__(info, (whole,), made.stain)
        self._slide, self._grid, self._network, self._made = slide, frame, network, made
        self._down, self._across = tiles
        self._tissue, self._parts, self._cache = tissue, parts, TileCache(CACHE_BYTES)

    @property
    def tissue(self) -> TissueMap | None:
        """Where it is not white; None where it is made all over."""
        return self._tissue

    def _region(self, level: int, x: int, y: int, width: int, height: int) -> Interleaved:
        factor = self._made.factor
        total = np.zeros((height, width, self._made.channels), np.float32)
        rows = self._down.touching(y / factor, (y + height) / factor)
        columns = self._across.touching(x / factor, (x + width) / factor)
        for row, column in product(rows, columns):
            top, bottom = (edge * factor for edge in self._down.span(row))
            left, right = (edge * factor for edge in self._across.span(column))
            y0, y1, x0, x1 = (
                max(y, top),
                min(y + height, bottom),
                max(x, left),
                min(x + width, right),
            )
            if y0 >= y1 or x0 >= x1:
                continue
            weight = np.outer(
                self._down.weight(row, y0, y1, factor), self._across.weight(column, x0, x1, factor)
            )
            tile = self._tile(row, column)[y0 - top : y1 - top, x0 - left : x1 - left]
            total[y0 - y : y1 - y, x0 - x : x1 - x] += weight[..., None] * tile
        return np.rint(total).astype(np.uint8)

    def _tile(self, row: int, column: int) -> Tile:
        return self._cache.get((row, column), lambda: self._kept(row, column))

    def _kept(self, row: int, column: int) -> Tile:
        """A tile from the parts, or made and put there; white ones are not worth it."""
        (top, bottom), (left, right) = self._down.span(row), self._across.span(column)
        place = self._grid.crop(left, top, right - left, bottom - top)
        tissue = None if self._tissue is None else self._tissue.on(_finer(place, self._made.factor))
        if tissue is not None and not tissue.any():
            return np.full((*tissue.shape, self._made.channels), WHITE, np.uint8)
        name = f"{row}-{column}"
        tile = None if self._parts is None else self._parts.load(name)
        if tile is None:
            tile = self._translated(row, column)
            if tissue is not None:
                tile = _on_white(tile, tissue)
            if self._parts is not None:
                self._parts.save(name, tile)
        return tile

    def _translated(self, row: int, column: int) -> Tile:
        (top, bottom), (left, right) = self._down.seen(row), self._across.seen(column)
        made = np.moveaxis(self._network(self._mirrored(top, bottom, left, right)), 0, -1)
        (y0, y1), (x0, x1) = self._down.span(row), self._across.span(column)
        factor = self._made.factor
        inner = made[
            (y0 - top) * factor : (y1 - top) * factor, (x0 - left) * factor : (x1 - left) * factor
        ]
        return np.ascontiguousarray(inner)

    def _mirrored(self, top: int, bottom: int, left: int, right: int) -> Pixels:
        """The slide's pixels (C, H, W) of a box of the grid; beyond its edges they go back."""
        height, width = self._grid.height, self._grid.width
        y0, y1, x0, x1 = max(0, top), min(height, bottom), max(0, left), min(width, right)
        pixels = self._slide.read(self._grid.crop(x0, y0, x1 - x0, y1 - y0)).pixels
        beyond = ((0, 0), (y0 - top, bottom - y1), (x0 - left, right - x1))
        return np.pad(pixels, beyond, mode="symmetric") if np.any(beyond) else pixels

    def _release(self) -> None:
        self._cache.clear()
        self._slide.close()


def _finer(frame: Frame, factor: int) -> Frame:
    mpp = (frame.mpp[0] / factor, frame.mpp[1] / factor)
    return replace(frame, height=frame.height * factor, width=frame.width * factor, mpp=mpp)


def _on_white(tile: Tile, tissue: npt.NDArray[np.float32]) -> Tile:
    shown = WHITE + tissue[..., None] * (tile.astype(np.float32) - WHITE)
    return np.asarray(np.rint(shown), np.uint8)
