"""Pixels of one colour, told by their strides: glass need not be assembled, warped or encoded."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

#: Every so many rows and columns are compared first: a few samples rule out nearly all tissue.
SAMPLE_STEP_PX = 61


def is_flat(pixels: npt.NDArray[Any]) -> bool:
    """Return whether pixels (H, W, C) are one colour by their strides, as `make_flat` makes them.

    Pixels that are equal in memory of their own are not looked at.
    """
    return pixels.strides[:2] == (0, 0)


def make_flat(colour: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    """Return pixels (height, width, C) of one colour (C,), which take no memory."""
    return np.broadcast_to(colour, (height, width, len(colour)))


def has_one_colour(pixels: npt.NDArray[Any]) -> bool:
    """Return whether all pixels (H, W, C) are equal."""
    if is_flat(pixels):
        return True
    if (pixels[::SAMPLE_STEP_PX, ::SAMPLE_STEP_PX] != pixels[0, 0]).any():
        return False
    across = pixels[0, 1:] == pixels[0, :-1]
    return bool(across.all() and (pixels[1:] == pixels[:-1]).all())


def flatten_one_colour(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return pixels (H, W, C) of one colour as `make_flat` makes them, others as they are."""
    if is_flat(pixels) or not has_one_colour(pixels):
        return pixels
    return make_flat(pixels[0, 0].copy(), *pixels.shape[:2])


def fill(out: npt.NDArray[Any], colour: npt.NDArray[Any]) -> None:
    """Give all pixels of `out` (H, W, C) one colour (C,)."""
    # A whole row at a time: numpy copies three bytes at a time far more slowly.
    out[:] = make_flat(colour, 1, out.shape[1]).copy()


def copy_flat(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return pixels that `make_flat` made in memory of their own, which can be written into."""
    out = np.empty(pixels.shape, pixels.dtype)
    fill(out, pixels[0, 0])
    return out
