"""Compressed tiles of one colour, known by their bytes: scanners store glass many times over."""

from __future__ import annotations

from threading import Lock
from typing import Any

import numpy.typing as npt

from stainbridge.geometry.flat import flatten_one_colour, is_flat

#: Kinds of blank tiles that are remembered.
MOST_KINDS = 16
#: Bytes of a compressed tile that may be blank; tissue takes more.
LARGEST_BYTES = 2**15


class BlankSegments:
    """Decoded tiles of one colour by their compressed bytes. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pixels: dict[bytes, npt.NDArray[Any]] = {}

    def find(self, data: bytes) -> npt.NDArray[Any] | None:
        """Return the pixels (H, W, C) of a tile known to be of one colour, else None."""
        if not self._pixels or len(data) > LARGEST_BYTES:
            return None
        return self._pixels.get(data)

    def keep(self, data: bytes, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return decoded pixels, in little memory and remembered where they are of one colour."""
        pixels = flatten_one_colour(pixels)
        if is_flat(pixels) and len(data) <= LARGEST_BYTES:
            with self._lock:
                if len(self._pixels) < MOST_KINDS:
                    self._pixels[data] = pixels
        return pixels
