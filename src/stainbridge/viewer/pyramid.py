"""Where the tiles of a slide lie: levels that halve, as DeepZoom counts them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame

#: Side of a tile, in pixels.
TILE_PX = 256


class NoSuchTileError(InputError):
    """A tile that lies outside its slide's levels."""


@dataclass(frozen=True)
class TilePyramid:
    """The tiles of one slide.

    The last level is full resolution; each one before it is half as fine, down to one pixel.
    """

    frame: Frame
    """The full-resolution frame."""
    tile_px: int = TILE_PX
    """Side of a tile, in pixels."""

    @property
    def last_level(self) -> int:
        """The level of full resolution."""
        return (max(self.frame.width, self.frame.height) - 1).bit_length()

    def level_size(self, level: int) -> tuple[int, int]:
        """Return (width, height) of a level in pixels; raises `NoSuchTileError` for no level."""
        if not 0 <= level <= self.last_level:
            raise NoSuchTileError("no such level", expected=f"0 to {self.last_level}", got=level)
        step = 2 ** (self.last_level - level)
        return -(-self.frame.width // step), -(-self.frame.height // step)

    def tile_frame(self, level: int, column: int, row: int) -> Frame:
        """Return the frame of a tile; tiles at the far edges are cut there.

        Raises `NoSuchTileError` for a tile that is not on the slide.
        """
        width, height = self.level_size(level)
        columns = -(-width // self.tile_px)
        rows = -(-height // self.tile_px)
        if not (0 <= column < columns and 0 <= row < rows):
            raise NoSuchTileError(
                "no such tile",
                expected=f"column 0 to {columns - 1}, row 0 to {rows - 1}",
                got=f"column {column}, row {row}",
            )
        step = 2 ** (self.last_level - level)
        mpp = (self.frame.mpp[0] * step, self.frame.mpp[1] * step)
        level_frame = replace(self.frame, width=width, height=height, mpp=mpp)
        x = column * self.tile_px
        y = row * self.tile_px
        return level_frame.crop(x, y, min(self.tile_px, width - x), min(self.tile_px, height - y))
