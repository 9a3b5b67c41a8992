"""Tiles of slides: read once, kept for a while, shown as asked."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from stainbridge.slides.readers.tile_cache import TileCache
from stainbridge.slides.slide import Slide
from stainbridge.viewer.encoding import PictureFormat, encode_picture
from stainbridge.viewer.pyramid import TilePyramid
from stainbridge.viewer.rendering import Rendering, render

#: Pixels of tiles that are kept for all slides together, in bytes.
CACHE_BYTES = 96 * 2**20


@dataclass(frozen=True)
class TileAddress:
    """Which tile of which slide."""

    slide: tuple[str, ...]
    """What tells the slide from every other, versions of it too."""
    level: int
    """The level, 0 the coarsest."""
    column: int
    """From 0, left to right."""
    row: int
    """From 0, top to bottom."""


@dataclass(frozen=True, eq=False)
class TileReader:
    """Reads, renders and encodes tiles; thread-safe.

    Pixels are kept, so that another window or stain of the same tile is not read again.
    """

    cache: TileCache = field(default_factory=lambda: TileCache(CACHE_BYTES))
    """Pixels (H, W, C) by address."""

    def read(
        self, slide: Slide, address: TileAddress, rendering: Rendering, encoding: PictureFormat
    ) -> bytes:
        """Return a tile's file.

        Raises `NoSuchTileError` for a tile that is not on the slide, `InputError` for one that
        cannot be read or shown so.
        """
        pyramid = TilePyramid(slide.frame)
        frame = pyramid.tile_frame(address.level, address.column, address.row)

        def read_pixels() -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
            return np.array(np.moveaxis(slide.read(frame).pixels, 0, -1), order="C")

        return encode_picture(render(self.cache.get(address, read_pixels), rendering), encoding)
