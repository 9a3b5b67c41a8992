"""Write tiles into the arrays of an OME-Zarr, whose chunks are gathered in shards.

A slide has tens of thousands of tiles; file systems suffer from as many files. So 8 x 8 tiles lie
in one file, to which each is appended when it comes: a shard is never held in memory.
https://zarr-specs.readthedocs.io/en/latest/v3/codecs/sharding-indexed/
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import google_crc32c
import imagecodecs
import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.flat import has_one_colour
from stainbridge.geometry.warp import Interleaved
from stainbridge.slides.slide import Slide
from stainbridge.slides.writing.encode import Compression, check_number_type
from stainbridge.slides.writing.ngff_metadata import ArrayLayout, describe_array, describe_image
from stainbridge.slides.writing.pyramid import Pyramid, Reduction, TileKey
from stainbridge.slides.writing.tile_loop import TileProgress, write_tiles

#: Side of a shard, in tiles.
SHARD_TILES = 8
#: The file that describes a group or an array.
METADATA = "zarr.json"
#: The offset and the length of a chunk that is not stored.
MISSING = (2**64 - 1, 2**64 - 1)
ZSTD_LEVEL = 3
GZIP_LEVEL = 6
#: The codec that tells damage: without it changed pixels look like others.
CHECKSUM = {"name": "crc32c"}
#: The codecs of Zarr 3 of each compression.
COMPRESSORS: dict[Compression, tuple[dict[str, Any], ...]] = {
    "zstd": ({"name": "zstd", "configuration": {"level": ZSTD_LEVEL, "checksum": False}},),
    "deflate": ({"name": "gzip", "configuration": {"level": GZIP_LEVEL}},),
    "none": (),
}


@dataclass(frozen=True)
class ChunkCodec:
    """How the pixels of a chunk become bytes.

    Raises `InputError` for pixels and compressions that an OME-Zarr does not hold.
    """

    compression: Compression
    """How the bytes are compressed."""
    dtype: np.dtype[np.generic]
    """Type of the pixels."""

    def __post_init__(self) -> None:
        check_number_type(self.dtype)
        if self.compression not in COMPRESSORS:
            raise InputError(
                "an OME-Zarr is not written with this compression",
                expected=" | ".join(COMPRESSORS),
                got=self.compression,
                remedy="use zstd, or write an .ome.tiff",
            )

    def encode(self, chunk: Interleaved) -> bytes:
        """Return the bytes of (C, H, W), and their checksum at the end."""
        data = self._compress(chunk)
        return data + _checksum(data)

    def _compress(self, chunk: Interleaved) -> bytes:
        little = chunk.astype(self.dtype.newbyteorder("<"), order="C", copy=False).tobytes()
        if self.compression == "zstd":
            return bytes(imagecodecs.zstd_encode(little, level=ZSTD_LEVEL))
        if self.compression == "deflate":
            return bytes(imagecodecs.gzip_encode(little, level=GZIP_LEVEL))
        return little


def write_zarr(
    slide: Slide,
    folder: Path,
    codec: ChunkCodec,
    *,
    name: str,
    tile: int,
    reduction: Reduction,
    threads: int | None,
    progress: TileProgress | None,
) -> None:
    """Write `slide` into `folder`, which is empty; `name` is that of the picture."""
    pyramid = Pyramid(slide.frame.height, slide.frame.width, tile)
    background = 255 if slide.info.is_rgb else 0
    sink = ZarrSink(folder, pyramid, codec, len(slide.info.channels), slide.info.is_rgb, background)
    write_tiles(slide, pyramid, sink, reduction=reduction, threads=threads, progress=progress)
    sink.write_indices()
    for level in range(len(pyramid.sizes)):
        _write_json(folder / str(level) / METADATA, describe_array(sink.describe_level(level)))
    picture = slide.stain or name
    image = describe_image(slide.frame, slide.info, pyramid, picture, reduction, tuple(sink.ranges))
    _write_json(folder / METADATA, image)


@dataclass
class EncodedTile:
    """A tile as it is stored."""

    chunks: list[bytes | None]
    """The bytes of each of its chunks, one a plane; None for background."""
    ranges: list[tuple[float, float]]
    """Least and largest value of each channel; empty but for the coarsest level."""


@dataclass
class _Shard:
    """A file that chunks are appended to."""

    path: Path
    places: np.ndarray[Any, np.dtype[np.uint64]]
    #: Bytes in it.
    end: int = 0

    def append(self, number: int, chunk: bytes) -> None:
        if not self.end:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(chunk)
        self.places[number] = self.end, len(chunk)
        self.end += len(chunk)

    def write_index(self) -> None:
        index = self.places.astype("<u8").tobytes()
        with self.path.open("ab") as file:
            file.write(index + _checksum(index))


@dataclass(eq=False)
class ZarrSink:
    """Tiles as chunks of the levels' arrays. See `TileSink`.

    The channels of a colour picture lie in one chunk, others in one each: a viewer shows few of
    many channels.
    """

    folder: Path
    """The group's folder."""
    pyramid: Pyramid
    """Levels and tiles."""
    codec: ChunkCodec
    """How chunks become bytes."""
    channels: int
    """Number of channels."""
    is_rgb: bool
    """Whether they are red, green and blue."""
    background: int
    """The value of chunks that are not stored."""
    ranges: list[tuple[float, float]] = field(default_factory=list)
    """Least and largest value of each channel of the coarsest level, once it is appended."""
    _shards: dict[Path, _Shard] = field(default_factory=dict)

    def encode(self, key: TileKey, tile: Interleaved, /) -> EncodedTile:
        """Return the chunks of a tile (tile, tile, C)."""
        is_coarsest = key.level == len(self.pyramid.sizes) - 1
        planar = np.moveaxis(tile, -1, 0)
        depth = self._depth
        parts = [planar[i : i + depth] for i in range(0, self.channels, depth)]
        ranges = [_find_range(channel) for channel in planar] if is_coarsest else []
        return EncodedTile([self._encode_chunk(part) for part in parts], ranges)

    def append(self, key: TileKey, encoded: EncodedTile) -> None:
        """Append the chunks to their shards."""
        rows, columns = self._shard_tiles(key.level)
        row, column = key.row % rows, key.column % columns
        for plane, chunk in enumerate(encoded.chunks):
            if chunk is not None:
                path = self.folder.joinpath(
                    str(key.level),
                    "c",
                    str(plane),
                    str(key.row // rows),
                    str(key.column // columns),
                )
                if path not in self._shards:
                    self._shards[path] = _Shard(
                        path, np.full((rows * columns, 2), MISSING[0], "u8")
                    )
                self._shards[path].append(row * columns + column, chunk)
        self.ranges = encoded.ranges or self.ranges

    def write_indices(self) -> None:
        """Write where the chunks are at the end of each shard."""
        for shard in self._shards.values():
            shard.write_index()

    def describe_level(self, level: int) -> ArrayLayout:
        """Return how the array of a level is stored."""
        rows, columns = self._shard_tiles(level)
        side = self.pyramid.tile
        return ArrayLayout(
            shape=(self.channels, *self.pyramid.sizes[level]),
            chunk=(self._depth, side, side),
            shard=(self._depth, rows * side, columns * side),
            dtype=self.codec.dtype,
            background=self.background,
            compressors=(*COMPRESSORS[self.codec.compression], CHECKSUM),
        )

    @property
    def _depth(self) -> int:
        """Channels in a chunk."""
        return self.channels if self.is_rgb else 1

    def _shard_tiles(self, level: int) -> tuple[int, int]:
        """Return rows and columns of tiles in a shard."""
        rows, columns = self.pyramid.count_tiles(level)
        return min(rows, SHARD_TILES), min(columns, SHARD_TILES)

    def _encode_chunk(self, part: Interleaved) -> bytes | None:
        if np.all(part[:, 0, 0] == self.background) and has_one_colour(np.moveaxis(part, 0, -1)):
            return None
        return self.codec.encode(part)


def _checksum(data: bytes) -> bytes:
    """Return the CRC-32C of bytes, as Zarr puts it behind them."""
    return struct.pack("<I", google_crc32c.value(data))


def _find_range(channel: Interleaved) -> tuple[float, float]:
    """Return the least and the largest finite value, (0, 1) where there is none."""
    finite = channel[np.isfinite(channel)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, allow_nan=False), encoding="utf-8")
