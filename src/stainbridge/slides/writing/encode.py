"""Encode tiles: from interleaved pixels to the bytes of a TIFF segment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

import imagecodecs
import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.flat import has_one_colour
from stainbridge.geometry.warp import Interleaved
from stainbridge.slides.writing.container import Tag

Compression = Literal["jpeg", "deflate", "zstd", "none"]

#: The number of each compression in the tag Compression.
_SCHEMES: dict[Compression, int] = {"none": 1, "jpeg": 7, "deflate": 8, "zstd": 50000}
#: The number of each kind of dtype in the tag SampleFormat.
_SAMPLE_FORMATS = {"u": 1, "i": 2, "f": 3}
_NUMBER_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")


@dataclass(frozen=True)
class Codec:
    """How tiles become bytes.

    Raises `InputError` for a combination that no TIFF reader would understand.
    """

    compression: Compression
    """How the bytes are compressed."""
    quality: int
    """JPEG's, 1 to 100; chroma of RGB is halved below 90."""
    dtype: np.dtype[np.generic]
    """Type of the pixels."""
    samples: int
    """Number of interleaved channels."""
    rgb: bool
    """Whether they are red, green and blue."""
    _flat_tiles: dict[tuple[bytes, tuple[int, ...]], bytes] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if self.compression not in get_args(Compression):
            raise InputError(
                "no such compression",
                expected=" | ".join(get_args(Compression)),
                got=self.compression,
            )
        check_number_type(self.dtype)
        if self.compression == "jpeg" and self.dtype != np.uint8:
            raise InputError(
                "JPEG holds 8-bit pixels only",
                expected="uint8",
                got=self.dtype.name,
                remedy="use deflate or zstd",
            )
        if self.compression == "jpeg" and self.samples > 1 and not self.rgb:
            raise InputError(
                "a plain TIFF holds RGB or one channel as JPEG",
                got=f"{self.samples} channels",
                remedy="use deflate or zstd, or the format ome-tiff",
            )
        if not 1 <= self.quality <= 100:
            raise InputError("no such JPEG quality", expected="1 to 100", got=self.quality)

    @property
    def chroma(self) -> str:
        """Chroma subsampling of RGB JPEG."""
        return "420" if self.quality < 90 else "444"

    @property
    def predictor(self) -> bool:
        """Whether differences of neighbours are stored: integers compress better so."""
        return self.compression in ("deflate", "zstd") and self.dtype.kind in "iu"

    @property
    def tags(self) -> tuple[Tag, ...]:
        """The TIFF tags that say how to decode an image."""
        photometric = 1 if not self.rgb else 6 if self.compression == "jpeg" else 2
        tags = [
            Tag(258, "short", [self.dtype.itemsize * 8] * self.samples),
            Tag(259, "short", [_SCHEMES[self.compression]]),
            Tag(262, "short", [photometric]),
            Tag(277, "short", [self.samples]),
            Tag(284, "short", [1]),
            Tag(339, "short", [_SAMPLE_FORMATS[self.dtype.kind]] * self.samples),
        ]
        if self.predictor:
            tags.append(Tag(317, "short", [2]))
        if photometric == 6:
            tags.append(Tag(530, "short", [2, 2] if self.chroma == "420" else [1, 1]))
        if not self.rgb and self.samples > 1:
            tags.append(Tag(338, "short", [0] * (self.samples - 1)))
        return tuple(tags)

    def encode(self, tile: Interleaved) -> tuple[bytes, bool]:
        """Return the bytes of a (tile, tile, samples) array, and whether it is one flat colour.

        A flat colour is encoded once.
        """
        if has_one_colour(tile):
            return self._encode_flat(tile[0, 0].tobytes(), tile.shape), True
        return self._encode(tile), False

    def _encode_flat(self, colour: bytes, shape: tuple[int, ...]) -> bytes:
        key = (colour, shape)
        if key not in self._flat_tiles:
            tile = np.empty(shape, self.dtype)
            tile[:] = np.frombuffer(colour, self.dtype)
            self._flat_tiles[key] = self._encode(tile)
        return self._flat_tiles[key]

    def _encode(self, tile: Interleaved) -> bytes:
        array = np.ascontiguousarray(tile[..., 0] if self.samples == 1 else tile)
        if self.predictor:
            array = imagecodecs.delta_encode(array, axis=1)
        if self.compression == "jpeg":
            return self._jpeg(array)
        if self.compression == "deflate":
            return bytes(imagecodecs.deflate_encode(array.tobytes(), level=6))
        if self.compression == "zstd":
            return bytes(imagecodecs.zstd_encode(array.tobytes(), level=3))
        return array.tobytes()

    def _jpeg(self, array: npt.NDArray[np.generic]) -> bytes:
        if self.samples == 1:
            return bytes(imagecodecs.jpeg8_encode(array, level=self.quality))
        return bytes(
            imagecodecs.jpeg8_encode(
                array,
                level=self.quality,
                colorspace="rgb",
                outcolorspace="ycbcr",
                subsampling=self.chroma,
            )
        )


def check_number_type(dtype: np.dtype[np.generic]) -> None:
    """Raise `InputError` for pixels that no format here holds."""
    if dtype.name not in _NUMBER_TYPES:
        raise InputError(
            "pixels of this type cannot be written",
            expected="whole numbers of 8 to 32 bits, or floats of 32 or 64",
            got=dtype.name,
            remedy="convert them first",
        )
