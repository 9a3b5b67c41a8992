"""Tissue as it lies on a glass slide: its dyes and classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.phantom.space.raster_tiles import (
    DrawTile,
    assemble_tiles,
    is_on_grid,
    locate_tile,
)
from stainbridge.phantom.staining.stain import DyeAmounts
from stainbridge.phantom.tissue.classes import Labels

#: Tiles kept for the next reads, of 3 MB each: three rows of a stripe of tiles.
_CACHED_TILES = 32


class MountedTissue(ABC):
    """Tissue on its slide, drawn where it is asked for."""

    if TYPE_CHECKING:  # at run time a property here would keep a dataclass field from its place

        @property
        def frame(self) -> Frame:
            """The slide."""

    def draw_dyes(self, frame: Frame) -> DyeAmounts:
        """Return dye amounts, (H, W, 3), on a frame of the slide.

        On the slide's pixel grid they come from tiles, some of which are cached: reads of
        neighbouring parts overlap.
        """
        if not is_on_grid(frame):
            return self.draw_dyes_once(frame)
        return assemble_tiles(frame, self._draw_cached_tile, 3, np.float32)

    @abstractmethod
    def draw_dyes_once(self, frame: Frame) -> DyeAmounts:
        """Return dye amounts, (H, W, 3), on a frame of the slide; nothing is cached."""

    @abstractmethod
    def draw_classes(self, frame: Frame) -> Labels:
        """Return class numbers, (H, W), on a frame of the slide."""

    @cached_property
    def _draw_cached_tile(self) -> DrawTile:
        return lru_cache(_CACHED_TILES)(self._draw_tile)

    def _draw_tile(self, mpp: tuple[float, float], column: int, row: int) -> DyeAmounts:
        return self.draw_dyes_once(locate_tile(self.frame.space, mpp, column, row))
