"""Read one level of a Zarr image: chunks of its array as tiles."""

from __future__ import annotations

from typing import Any

import numpy as np

from stainbridge.errors import InputError
from stainbridge.slides.readers.resample import Interleaved

#: Chunks are joined to tiles of about this many pixels a side.
TILE_PX = 1024


class ZarrLevel:
    """A picture in `array`; `axes` has a letter for each axis: y, x, c or s (channels), z, t.

    Raises `InputError` for axes and sample types that are not read.
    """

    def __init__(self, array: Any, axes: str, where: str) -> None:
        if (
            len(axes) != array.ndim
            or len(set(axes)) != len(axes)
            or not {"x", "y"} <= set(axes) <= set("tczyxs")
        ):
            raise InputError(
                "axes are not those of a picture",
                where=where,
                got=f"'{axes}' for shape {array.shape}",
            )
        if array.dtype.kind not in "biuf":
            raise InputError("this sample type is not read", where=where, got=array.dtype)
        self._array = array
        self._where = where
        self._axes = axes
        sizes = dict(zip(axes, array.shape, strict=True))
        chunks = dict(zip(axes, array.chunks, strict=True))
        self.size = (int(sizes["x"]), int(sizes["y"]))
        self.tile_size = (
            _tile_side(chunks["x"], self.size[0]),
            _tile_side(chunks["y"], self.size[1]),
        )
        self.channels = int(sizes.get("c", 1) * sizes.get("s", 1))
        self.interleaved = "s" in axes or axes.endswith("c")
        dtype = np.dtype(array.dtype).newbyteorder("=")
        self.dtype: np.dtype[Any] = dtype
        if dtype.str[1:] in ("b1", "f2"):
            self.dtype = np.dtype(np.uint8 if dtype.kind == "b" else np.float32)
        self._fixed_index = {
            axis: sizes[axis] // 2 if axis == "z" else 0 for axis in axes if axis in "zt"
        }
        what = {"z": "a z-stack", "t": "a time series"}
        self.warnings = tuple(
            f"{what[axis]} of {sizes[axis]} planes: plane {index + 1} is read"
            for axis, index in self._fixed_index.items()
            if sizes[axis] > 1
        )

    def tile(self, row: int, column: int) -> Interleaved:
        """Return (H, W, C); raise `InputError` with the tile's place if it cannot be decoded."""
        width, height = self.tile_size
        places: dict[str, Any] = {
            "x": slice(column * width, min((column + 1) * width, self.size[0])),
            "y": slice(row * height, min((row + 1) * height, self.size[1])),
            **self._fixed_index,
        }
        try:
            part = np.asarray(
                self._array[tuple(places.get(axis, slice(None)) for axis in self._axes)]
            )
        # codecs and stores each raise errors of their own
        except Exception as error:
            where = f"{self._where}, tile at column {column}, row {row}"
            raise InputError("a tile cannot be decoded", where=where, got=error) from error
        return self._interleave(part)

    def _interleave(self, part: Interleaved) -> Interleaved:
        axes = [axis for axis in self._axes if axis not in self._fixed_index]
        order = [axes.index(axis) for axis in "yxcs" if axis in axes]
        picture = part.transpose(order)
        if picture.dtype.kind == "b":
            picture = picture * np.uint8(255)
        return np.ascontiguousarray(picture.reshape(*picture.shape[:2], self.channels), self.dtype)


def _tile_side(chunk: int, length: int) -> int:
    """Return a multiple of the chunk near `TILE_PX`.

    It is never a part of a chunk, which would then be decoded many times.
    """
    return int(min(max(1, TILE_PX // chunk) * chunk, max(length, 1)))
