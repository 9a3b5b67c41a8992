"""Pixels of one colour, told by their strides: glass need not be assembled, warped or encoded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

#: Rows and columns of an array.
Window: TypeAlias = tuple[slice, slice]

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


def make_writable(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return pixels (H, W, C) as they are, or a copy of those that `make_flat` made."""
    return copy_flat(pixels) if is_flat(pixels) else pixels


@dataclass(eq=False)
class Canvas:
    """Pixels that are put together window by window; while all have one colour they take no memory.

    Windows cover it, and each is filled once.
    """

    shape: tuple[int, int, int]
    """(H, W, C)."""
    dtype: npt.DTypeLike
    """Type of the pixels."""
    _colour: npt.NDArray[Any] | None = field(default=None, init=False, repr=False)
    _pixels: npt.NDArray[Any] | None = field(default=None, init=False, repr=False)

    @property
    def pixels(self) -> npt.NDArray[Any]:
        """The pixels (H, W, C), as `make_flat` makes them where all windows have one colour."""
        if self._pixels is not None:
            return self._pixels
        assert self._colour is not None
        return make_flat(self._colour, *self.shape[:2])

    def fill(self, window: Window, colour: npt.NDArray[Any]) -> None:
        """Give a window one colour (C,)."""
        if self._pixels is None and self._colour is None:
            self._colour = np.array(colour, self.dtype)
        is_same = self._colour is not None and np.array_equal(self._colour, colour)
        if self._pixels is not None or not is_same:
            fill(self.open(window), colour)

    def put(self, window: Window, pixels: npt.NDArray[Any]) -> None:
        """Copy pixels (h, w, C) into a window."""
        if is_flat(pixels):
            self.fill(window, pixels[0, 0])
        else:
            self.open(window)[:] = pixels

    def open(self, window: Window) -> npt.NDArray[Any]:
        """Return a window (h, w, C) to be written into."""
        if self._pixels is None:
            self._pixels = np.empty(self.shape, self.dtype)
            if self._colour is not None:
                fill(self._pixels, self._colour)
        return self._pixels[window]
