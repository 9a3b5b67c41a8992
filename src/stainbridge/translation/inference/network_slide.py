"""A slide that a network makes of another, computed tile by tile as it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.imaging.tiles import TileAxis, TileGrid
from stainbridge.slides.readers.channels import RGB, number_channels
from stainbridge.slides.readers.pyramid_slide import PyramidSlide
from stainbridge.slides.readers.resample import Interleaved
from stainbridge.slides.readers.tile_cache import TileCache
from stainbridge.slides.slide import Slide, SlideInfo
from stainbridge.translation.inference.tile_store import TileStore
from stainbridge.translation.inference.tissue_map import TissueMap
from stainbridge.types import Pixels

#: Bytes of translated tiles in memory: two rows of them across what the writer writes at a time,
#: and more.
CACHE_BYTES = 128 * 2**20
#: Value of glass, of 8 bits.
WHITE = 255

Tile = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class NetworkOutput:
    """What a network puts out."""

    step: str
    """The step's name, for the slide's description."""
    channels: int
    """Channels."""
    stain: str | None
    """The stain, where it is known."""
    factor: int = 1
    """Pixels a side for each one that goes in."""


class NetworkSlide(PyramidSlide):
    """What a network makes of `slide` on the grid of `frame`, of 8 bits; a `Slide`.

    `frame` covers the slide's whole extent at the network's pixel size. The result begins at (0, 0)
    µm, in the slide's space where the slide does. Beyond the slide the network is shown its mirror.
    Where `tissue` says glass the result is white, and tiles of glass only are not computed. `store`
    keeps tiles from one process to the next. Reads of parts equal the parts of a whole read.
    Closing it closes `slide`. It pickles as `remake`, which makes it again; pickling raises
    `InputError` without one.
    """

    def __init__(
        self,
        slide: Slide,
        frame: Frame,
        network: Callable[[Pixels], Tile],
        grid: TileGrid,
        output: NetworkOutput,
        tissue: TissueMap | None = None,
        store: TileStore | None = None,
        remake: Callable[[], NetworkSlide] | None = None,
    ) -> None:
        finest = _place_at_origin(_refine(frame, output.factor))
        source = slide.info
        info = SlideInfo(
            source.path,
            f"{output.step} {source.reader}",
            source.format,
            None,
            np.uint8,
            RGB if output.channels == 3 else number_channels(output.channels),
        )
        super().__init__(info, (finest,), output.stain)
        self._slide = slide
        self._frame = frame
        self._network = network
        self._grid = grid
        self._output = output
        self._tissue = tissue
        self._store = store
        self._remake = remake
        self._cache = TileCache(CACHE_BYTES)

    def __reduce__(self) -> tuple[Any, ...]:
        self._require_open()
        if self._remake is None:
            raise InputError("it is not known how the slide was made", where=self.info.path)
        return self._remake, ()

    @property
    def tissue(self) -> TissueMap | None:
        """Where it is not white; None where all of it is computed."""
        return self._tissue

    def _region(
        self,
        level: int,  # noqa: ARG002  # there is one level
        x: int,
        y: int,
        width: int,
        height: int,
    ) -> Interleaved:
        factor = self._output.factor
        total = np.zeros((height, width, self._output.channels), np.float32)
        box = (y / factor, (y + height) / factor, x / factor, (x + width) / factor)
        for row, column in self._grid.tiles_at(*box):
            top, rows = _overlap(self._grid.down, row, factor, y, height)
            left, columns = _overlap(self._grid.across, column, factor, x, width)
            if not len(rows) or not len(columns):
                continue
            weight = self._grid.weight(row, column, (rows + 0.5) / factor, (columns + 0.5) / factor)
            tile = self._tile(row, column)[_slice(rows, top), _slice(columns, left)]
            total[_slice(rows, y), _slice(columns, x)] += weight[..., None] * tile
        return np.rint(total).astype(np.uint8)

    def _tile(self, row: int, column: int) -> Tile:
        return self._cache.get((row, column), lambda: self._load_or_compute(row, column))

    def _load_or_compute(self, row: int, column: int) -> Tile:
        """Return a tile from the store, or compute and store it; white ones are not stored."""
        top, bottom = self._grid.down.support(row)
        left, right = self._grid.across.support(column)
        support = self._frame.crop(left, top, right - left, bottom - top)
        tissue = None
        if self._tissue is not None:
            tissue = self._tissue.sample(_refine(support, self._output.factor))
            if not tissue.any():
                return np.full((*tissue.shape, self._output.channels), WHITE, np.uint8)
        name = f"{row}-{column}"
        tile = None if self._store is None else self._store.load(name)
        if tile is None:
            tile = self._compute(row, column)
            if tissue is not None:
                tile = _blend_with_white(tile, tissue)
            if self._store is not None:
                self._store.save(name, tile)
        return tile

    def _compute(self, row: int, column: int) -> Tile:
        """Return what the network makes of a tile's window, where the tile has weight."""
        top, bottom = self._grid.down.window(row)
        left, right = self._grid.across.window(column)
        window = self._network(self._read_mirrored(top, bottom, left, right))
        first_row, last_row = self._grid.down.support(row)
        first_column, last_column = self._grid.across.support(column)
        factor = self._output.factor
        inner = np.moveaxis(window, 0, -1)[
            (first_row - top) * factor : (last_row - top) * factor,
            (first_column - left) * factor : (last_column - left) * factor,
        ]
        return np.ascontiguousarray(inner)

    def _read_mirrored(self, top: int, bottom: int, left: int, right: int) -> Pixels:
        """Read the slide's pixels (C, H, W) of a box of the grid, mirrored beyond its edges."""
        inside_top = max(0, top)
        inside_left = max(0, left)
        height = min(self._frame.height, bottom) - inside_top
        width = min(self._frame.width, right) - inside_left
        pixels = self._slide.read(self._frame.crop(inside_left, inside_top, width, height)).pixels
        beyond = (
            (0, 0),
            (inside_top - top, bottom - inside_top - height),
            (inside_left - left, right - inside_left - width),
        )
        return np.pad(pixels, beyond, mode="symmetric") if np.any(beyond) else pixels

    def _release(self) -> None:
        self._cache.clear()
        self._slide.close()


def _overlap(
    axis: TileAxis, index: int, factor: int, start: int, length: int
) -> tuple[int, npt.NDArray[np.int64]]:
    """Return where a tile's weight begins, and its pixels among `length` ones from `start`."""
    first, stop = (edge * factor for edge in axis.support(index))
    return first, np.arange(max(start, first), min(start + length, stop))


def _slice(pixels: npt.NDArray[np.int64], start: int) -> slice:
    """Return consecutive pixels as a slice of an array that begins at `start`."""
    return slice(int(pixels[0]) - start, int(pixels[-1]) + 1 - start)


def _refine(frame: Frame, factor: int) -> Frame:
    """Return the frame with pixels `factor` times as fine."""
    mpp = (frame.mpp[0] / factor, frame.mpp[1] / factor)
    return replace(frame, height=frame.height * factor, width=frame.width * factor, mpp=mpp)


def _place_at_origin(frame: Frame) -> Frame:
    """Return the frame at (0, 0) µm: in a space of its own where it began elsewhere.

    The same frame gets the same space in every process.
    """
    if frame.origin_um == (0.0, 0.0):
        return frame
    space = frame.space
    own = Space(
        space.label,
        frame.height,
        frame.width,
        frame.mpp,
        space.calibrated,
        id=f"{space.id} from {frame.origin_um} µm",
    )
    return replace(frame, space=own, origin_um=(0.0, 0.0))


def _blend_with_white(tile: Tile, tissue: npt.NDArray[np.float32]) -> Tile:
    """Return (H, W, C) pixels faded to white where the weights (H, W) of tissue are below 1."""
    blended = WHITE + tissue[..., None] * (tile.astype(np.float32) - WHITE)
    return np.asarray(np.rint(blended), np.uint8)
