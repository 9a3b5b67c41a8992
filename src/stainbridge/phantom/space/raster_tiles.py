"""Rasters put together from blocks of a fixed grid, which are always the same, whatever part is
asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame, Space

#: A block (BLOCK_PX, BLOCK_PX, C) by its pixel size (x, y), column and row.
DrawTile: TypeAlias = Callable[[tuple[float, float], int, int], npt.NDArray[Any]]

TILE_PX = 512
#: Origins closer than this to whole pixels are on the grid.
_EXACT_PX = 1e-3


def is_on_grid(frame: Frame) -> bool:
    """Whether the pixels of `frame` are those of a grid through (0, 0)."""
    first = np.divide(frame.origin_um, frame.mpp)
    return bool((np.abs(first - np.rint(first)) < _EXACT_PX).all())


def locate_tile(space: Space, mpp: tuple[float, float], column: int, row: int) -> Frame:
    """The frame of one block."""
    return Frame(space, TILE_PX, TILE_PX, mpp).crop(
        column * TILE_PX, row * TILE_PX, TILE_PX, TILE_PX
    )


def assemble_tiles(
    frame: Frame, blocks: DrawTile, channels: int, dtype: npt.DTypeLike
) -> npt.NDArray[Any]:
    """(H, W, channels) on a frame of the grid."""
    x, y = np.rint(np.divide(frame.origin_um, frame.mpp)).astype(int).tolist()
    out = np.empty((frame.height, frame.width, channels), dtype)
    for row in range(y // TILE_PX, (y + frame.height - 1) // TILE_PX + 1):
        for column in range(x // TILE_PX, (x + frame.width - 1) // TILE_PX + 1):
            left, top = column * TILE_PX - x, row * TILE_PX - y
            x0, x1 = max(left, 0), min(left + TILE_PX, frame.width)
            y0, y1 = max(top, 0), min(top + TILE_PX, frame.height)
            out[y0:y1, x0:x1] = blocks(frame.mpp, column, row)[
                y0 - top : y1 - top, x0 - left : x1 - left
            ]
    return out
