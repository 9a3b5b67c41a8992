"""Where training tiles are cropped from pictures, and how they are turned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from stainbridge.errors import InputError
from stainbridge.types import Pixels


@dataclass(frozen=True)
class TileCrop:
    """A square of a picture, mirrored or not, then turned by right angles."""

    x: int
    """First column."""
    y: int
    """First row."""
    side: int
    """Columns and rows."""
    mirrored: bool = False
    """Whether left and right are exchanged."""
    turns: int = 0
    """Right angles, counter-clockwise."""

    @classmethod
    def draw(
        cls, rng: np.random.Generator, height: int, width: int, side: int, rotate_and_flip: bool
    ) -> Self:
        """Draw a square of a picture (height, width), in one of eight orientations if asked to.

        Raises `InputError` for a picture smaller than the square.
        """
        if min(height, width) < side:
            raise InputError(
                "the picture is smaller than a tile",
                expected=f"at least {side} x {side}",
                got=f"{width} x {height}",
                remedy="set translation: tile_px in --config",
            )
        x = int(rng.integers(width - side + 1))
        y = int(rng.integers(height - side + 1))
        # Drawn in any case, so that the next draws do not depend on the orientation.
        mirrored = bool(rng.integers(2))
        turns = int(rng.integers(4))
        return cls(x, y, side, mirrored, turns) if rotate_and_flip else cls(x, y, side)

    def __call__(self, pixels: Pixels) -> Pixels:
        """Return this square of (C, H, W) pixels, (C, side, side)."""
        square = pixels[:, self.y : self.y + self.side, self.x : self.x + self.side]
        square = square[..., ::-1] if self.mirrored else square
        return np.asarray(np.rot90(square, self.turns, axes=(1, 2)))
