"""Which tiles a network is shown, so that their translations fit together."""

from __future__ import annotations

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.imaging.tiles import TileAxis, TileGrid
from stainbridge.progress import Note

#: Pixels over which a tile gives way to its neighbour where both agree.
BLEND_PX = 32
#: Side of tiles, in pixels: the published residual generators then need about 1.1 GB.
USUAL_PX = 1280
#: Side of tiles of networks that reach further than that allows, in pixels.
FAR_REACHING_PX = 2048


def plan_tiles(frame: Frame, tile_px: int, reach: int, period: int, note: Note) -> TileGrid:
    """Plan the tiles of a frame for a network; note where they cannot fit together exactly."""
    grid = TileGrid(
        plan_axis(frame.height, tile_px, reach, period),
        plan_axis(frame.width, tile_px, reach, period),
    )
    exact = exact_tile(reach, period)
    if tile_px < min(exact, max(frame.height, frame.width)):
        note(
            f"note: the network reaches {reach} px; tiles of {exact} px or more would fit together "
            "exactly (--tile)"
        )
    return grid


def plan_axis(length: int, tile_px: int, reach: int, period: int) -> TileAxis:
    """Plan tiles along a side for a network that is shown `tile_px`, at least half of it new.

    A tile's margin is the network's reach and half of the blend, so that neighbours agree where
    they overlap, to rounding. A network that reaches further than a quarter of a tile has smaller
    margins and blends over all of them. All tiles begin at the same phase of the `period`. Raises
    `InputError` for tiles shorter than `least_tile(period)`.
    """
    if tile_px < least_tile(period):
        raise InputError(
            "tiles too small for the network",
            expected=f"at least {least_tile(period)}",
            got=tile_px,
        )
    step = max(1, period // 2)
    exact = exact_tile(reach, period) // 4
    margin = min(exact, tile_px // 4 // step * step)
    stride = (tile_px - 2 * margin) // period * period
    return TileAxis.beyond(length, stride, margin, BLEND_PX if margin == exact else margin, period)


def exact_tile(reach: int, period: int) -> int:
    """Return the smallest side of tiles that fit together exactly, in pixels."""
    return 4 * (-(-(reach + BLEND_PX // 2) // period) * period)


def usual_tile(reach: int, period: int) -> int:
    """Return a side of tiles for a network, in pixels; larger where it reaches further."""
    return USUAL_PX if exact_tile(reach, period) <= USUAL_PX else FAR_REACHING_PX


def least_tile(period: int) -> int:
    """Return the smallest side of tiles that a network of `period` can be shown, in pixels."""
    return max(4 * BLEND_PX, 2 * period)
