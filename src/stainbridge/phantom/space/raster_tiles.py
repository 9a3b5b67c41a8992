"""Assemble rasters from the tiles of a fixed grid.

A tile is the same whatever part of the raster is read, so that reads agree and can be cached.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame, Space

#: Draws a tile (TILE_PX, TILE_PX, C) given its pixel size (x, y), column and row.
DrawTile: TypeAlias = Callable[[tuple[float, float], int, int], npt.NDArray[Any]]

#: Side of a tile in pixels.
TILE_PX = 512
#: A frame is on the grid when its origin is this close to whole pixels, in pixels.
_GRID_TOLERANCE_PX = 1e-3


def is_on_grid(frame: Frame) -> bool:
    """Return whether the pixels of `frame` are those of a grid through (0, 0)."""
    first = np.divide(frame.origin_um, frame.mpp)
    return bool((np.abs(first - np.rint(first)) < _GRID_TOLERANCE_PX).all())


def locate_tile(space: Space, mpp: tuple[float, float], column: int, row: int) -> Frame:
    """Return the frame of one tile."""
    return Frame(space, TILE_PX, TILE_PX, mpp).crop(
        column * TILE_PX, row * TILE_PX, TILE_PX, TILE_PX
    )


def assemble_tiles(
    frame: Frame, draw_tile: DrawTile, channels: int, dtype: npt.DTypeLike
) -> npt.NDArray[Any]:
    """Return the raster (H, W, channels) on `frame`, which lies on the grid."""
    x, y = np.rint(np.divide(frame.origin_um, frame.mpp)).astype(int).tolist()
    raster = np.empty((frame.height, frame.width, channels), dtype)
    for row in range(y // TILE_PX, (y + frame.height - 1) // TILE_PX + 1):
        for column in range(x // TILE_PX, (x + frame.width - 1) // TILE_PX + 1):
            rows, tile_rows = _overlap(row * TILE_PX - y, frame.height)
            columns, tile_columns = _overlap(column * TILE_PX - x, frame.width)
            raster[rows, columns] = draw_tile(frame.mpp, column, row)[tile_rows, tile_columns]
    return raster


def _overlap(tile_start: int, size: int) -> tuple[slice, slice]:
    """Return where a tile lies in a raster along one axis, and that part of the tile."""
    low = max(tile_start, 0)
    high = min(tile_start + TILE_PX, size)
    return slice(low, high), slice(low - tile_start, high - tile_start)
