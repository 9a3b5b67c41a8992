"""The one loop that writes a slide: each full-resolution tile is read once, levels follow."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Generic, Protocol, TypeVar

import numpy as np

from stainbridge.compute import available_cores, opencv_threads
from stainbridge.geometry.flat import is_flat, make_flat
from stainbridge.geometry.warp import Interleaved
from stainbridge.slides.slide import Slide, read_shared
from stainbridge.slides.writing.pyramid import ParentTiles, Pyramid, Reduction, TileKey, halve

#: Called with the number of full-resolution tiles written, and of all of them.
TileProgress = Callable[[int, int], None]

#: How many tiles are given to the threads before the first result is waited for.
TILES_AHEAD = 24

Encoded = TypeVar("Encoded")


class TileSink(Protocol[Encoded]):
    """Where tiles go: one file format each."""

    def encode(self, key: TileKey, tile: Interleaved, /) -> Encoded:
        """Return a tile (tile, tile, C) as it is stored; any thread calls it."""
        ...

    def append(self, key: TileKey, encoded: Encoded) -> None:
        """Store a tile; called by one thread, always in the same order."""
        ...


def write_tiles(
    slide: Slide,
    pyramid: Pyramid,
    sink: TileSink[Encoded],
    *,
    reduction: Reduction = "mean",
    threads: int | None = None,
    progress: TileProgress | None = None,
) -> None:
    """Hand all tiles of all levels to `sink`, each parent as soon as its children are there.

    They come in the order of submission, so that a slide gives the same bytes on any machine.
    Memory does not grow with the slide.
    """
    work = _TileWork(slide, pyramid, sink, reduction)
    parents = ParentTiles(pyramid)
    rows, columns = pyramid.count_tiles(0)
    done = 0
    keys = pyramid.iterate_tiles()
    with _open_thread_pool(threads or available_cores()) as pool:
        pending = deque(pool.submit(work.read, key) for key in islice(keys, TILES_AHEAD))
        while pending:
            tile = pending.popleft().result()
            sink.append(tile.key, tile.encoded)
            parent = parents.add(tile.key, tile.quarter) if tile.quarter is not None else None
            if parent is not None:
                pending.append(pool.submit(work.encode, *parent))
            if tile.key.level == 0:
                done += 1
                pending.extend(pool.submit(work.read, key) for key in islice(keys, 1))
                if progress is not None:
                    progress(done, rows * columns)


@dataclass(frozen=True, eq=False)
class _Tile(Generic[Encoded]):
    key: TileKey
    #: The tile as its sink stores it.
    encoded: Encoded
    #: Its pixels in its parent, (h, w, C).
    quarter: Interleaved | None


@dataclass(frozen=True)
class _TileWork(Generic[Encoded]):
    """The work on one tile, which threads share."""

    slide: Slide
    pyramid: Pyramid
    sink: TileSink[Encoded]
    reduction: Reduction

    def read(self, key: TileKey) -> _Tile[Encoded]:
        """Read and encode a full-resolution tile."""
        height, width = self.pyramid.shape(key)
        size = self.pyramid.tile
        frame = self.slide.frame.crop(key.column * size, key.row * size, width, height)
        image = read_shared(self.slide, frame)
        return self.encode(key, np.moveaxis(image.pixels, 0, -1))

    def encode(self, key: TileKey, pixels: Interleaved) -> _Tile[Encoded]:
        """Encode a tile (H, W, C) of any level and reduce it for its parent."""
        encoded = self.sink.encode(key, _complete(pixels, self.pyramid.tile))
        quarter = None
        if self.pyramid.parent(key) is not None:
            quarter = halve(pixels, self.pyramid.quarter_shape(key), self.reduction)
        return _Tile(key, encoded, quarter)


def _complete(pixels: Interleaved, size: int) -> Interleaved:
    """Return a whole tile (size, size, C); its edge is repeated, for JPEG would ring at a jump."""
    if is_flat(pixels):
        return make_flat(pixels[0, 0], size, size)
    short = [(0, size - have) for have in pixels.shape[:2]]
    return pixels if short == [(0, 0), (0, 0)] else np.pad(pixels, [*short, (0, 0)], mode="edge")


@contextmanager
def _open_thread_pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Lend threads that drop waiting work when an exception (Ctrl-C, a full disk) ends it."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="write_slide")
    try:
        with opencv_threads.one():
            yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
