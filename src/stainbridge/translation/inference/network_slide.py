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
from stainbridge.types import Pixels, Plane

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
    Where `tissue` says glass the result is white, and of a tile no more is computed than the box
    around its tissue. `store` keeps tiles from one process to the next. Reads of parts equal the
    parts of a whole read. Closing it closes `slide`. It pickles as `remake`, which makes it again;
    pickling raises `InputError` without one.
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
        rows = slice(*self._grid.down.support(row))
        columns = slice(*self._grid.across.support(column))
        if self._tissue is None:
            return self._reuse(row, column, lambda: self._compute(row, column, rows, columns))
        support = self._frame.crop(
            columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start
        )
        tissue = self._tissue.sample(_refine(support, self._output.factor))
        if not tissue.any():
            return np.full((*tissue.shape, self._output.channels), WHITE, np.uint8)
        return self._reuse(row, column, lambda: self._compute_tissue(row, column, tissue))

    def _reuse(self, row: int, column: int, compute: Callable[[], Tile]) -> Tile:
        """Return a tile from the store, or compute and store it."""
        if self._store is None:
            return compute()
        name = f"{row}-{column}"
        tile = self._store.load(name)
        if tile is None:
            tile = compute()
            self._store.save(name, tile)
        return tile

    def _compute_tissue(self, row: int, column: int, tissue: Plane) -> Tile:
        """Return a tile, white but for the box around its tissue.

        `tissue` has the weights (H, W) of the tile's pixels.
        """
        factor = self._output.factor
        box_rows, box_columns = (
            _find_extent(np.asarray(tissue.any(axis=axis)), factor) for axis in (1, 0)
        )
        inside = (_scale_slice(box_rows, factor), _scale_slice(box_columns, factor))
        top = self._grid.down.support(row)[0]
        left = self._grid.across.support(column)[0]
        drawn = self._compute(
            row, column, _shift_slice(box_rows, top), _shift_slice(box_columns, left)
        )
        tile = np.full((*tissue.shape, self._output.channels), WHITE, np.uint8)
        tile[inside] = _blend_with_white(drawn, tissue[inside])
        return tile

    def _compute(self, row: int, column: int, rows: slice, columns: slice) -> Tile:
        """Return what the network makes of pixels of a tile, counted on the network's grid.

        It is shown no more around them than the tile's margin and the network's period ask for.
        """
        top, bottom = self._grid.down.shrink_window(row, rows.start, rows.stop)
        left, right = self._grid.across.shrink_window(column, columns.start, columns.stop)
        window = self._network(self._read_mirrored(top, bottom, left, right))
        inner = (
            _scale_slice(_shift_slice(rows, -top), self._output.factor),
            _scale_slice(_shift_slice(columns, -left), self._output.factor),
        )
        return np.ascontiguousarray(np.moveaxis(window, 0, -1)[inner])

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


def _find_extent(is_tissue: npt.NDArray[np.bool_], factor: int) -> slice:
    """Return the pixels of the network's grid, `factor` to each, from the first True to the last.

    There is one at least.
    """
    places = np.flatnonzero(is_tissue)
    return slice(int(places[0]) // factor, int(places[-1]) // factor + 1)


def _shift_slice(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)


def _scale_slice(part: slice, factor: int) -> slice:
    return slice(part.start * factor, part.stop * factor)


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
