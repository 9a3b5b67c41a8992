"""Tiles out of pictures: where they are cut, how they are turned, and as what a network sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from stainbridge.errors import InputError
from stainbridge.types import Pixels


@dataclass(frozen=True)
class Cut:
    """The square of `side` pixels from column `x`, row `y` on, mirrored or not, then turned by
    `turns` right angles.
    """

    x: int
    y: int
    side: int
    mirrored: bool = False
    turns: int = 0

    @classmethod
    def drawn(
        cls, rng: np.random.Generator, height: int, width: int, side: int, turned: bool
    ) -> Self:
        """Anywhere in a picture, and any way round where `turned`.

        Raises `InputError` for a smaller picture.
        """
        if min(height, width) < side:
            raise InputError(
                "the picture is smaller than a tile",
                expected=f"at least {side} x {side}",
                got=f"{width} x {height}",
                remedy="set translation: tile_px in --config",
            )
        x, y = (int(rng.integers(length - side + 1)) for length in (width, height))
        mirrored, turns = bool(rng.integers(2)), int(rng.integers(4))
        return cls(x, y, side, mirrored, turns) if turned else cls(x, y, side)

    def __call__(self, pixels: Pixels) -> Pixels:
        """The part of (C, H, W) pixels, (C, side, side)."""
        part = pixels[:, self.y : self.y + self.side, self.x : self.x + self.side]
        part = part[..., ::-1] if self.mirrored else part
        return np.asarray(np.rot90(part, self.turns, axes=(1, 2)))


def with_channels(pixels: Pixels, channels: int, where: object) -> Pixels:
    """Pixels (C, H, W) as the network takes them; grey ones are repeated where it takes RGB.

    Raises `InputError` for any other number of channels, and for pixels that are not of 8 bits.
    """
    if pixels.dtype != np.uint8:
        raise InputError(
            "wrong type of pixels", where=where, expected="8 bits a channel", got=pixels.dtype
        )
    if len(pixels) == channels:
        return pixels
    if len(pixels) != 1 or channels != 3:
        raise InputError(
            "wrong channels",
            where=where,
            expected=f"{channels}" + (" or grey" if channels == 3 else ""),
            got=len(pixels),
            remedy="convert them, or set the generator's channels in --config",
        )
    return np.repeat(pixels, 3, axis=0)


def scaled(pixels: Pixels) -> Tensor:
    """8-bit pixels (C, H, W) as float32 in −1 … 1."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).float() / 127.5 - 1


def unscaled(pictures: Tensor) -> Pixels:
    """Pictures (..., C, H, W) in −1 … 1 as 8-bit pixels."""
    rounded = (127.5 * (pictures.float().clamp(-1, 1) + 1)).round()
    return np.asarray(rounded.to(torch.uint8).cpu().numpy())


def shuffled(seed: int, number: int, count: int) -> int:
    """Which of `count` things sample `number` shows: all of them in another order each time round."""
    turn, place = divmod(number, count)
    return int(np.random.default_rng([seed, turn]).permutation(count)[place])
