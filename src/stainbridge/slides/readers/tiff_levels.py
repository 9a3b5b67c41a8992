"""The stored levels of a TIFF: tiles or strips decoded one by one, or uncompressed rows read in
place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stainbridge.errors import InputError
from stainbridge.slides.readers.file_bytes import FileBytes
from stainbridge.slides.readers.mosaic import Mosaic, StoredLevel
from stainbridge.slides.readers.resample import Interleaved
from stainbridge.slides.readers.tiff_layout import PlaneRef
from stainbridge.slides.readers.tiff_pixels import PixelRule, choose_pixel_rule
from stainbridge.slides.readers.tile_cache import TileCache

#: A compressed segment larger than this, decoded, cannot be read in parts.
LARGEST_SEGMENT_BYTES = 2 * 2**30

Files = Callable[[Any], FileBytes]


@dataclass(frozen=True, eq=False)
class Segments:
    """The tiles or strips of one page, `grid` (rows, columns) of `size` (width, height).

    `planes` is the number of separately stored samples (1 when interleaved); `decode` is
    tifffile's.
    """

    file: FileBytes
    level: int
    size: tuple[int, int]
    grid: tuple[int, int]
    planes: int
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    decode: Callable[..., Any]
    tables: dict[str, bytes]
    rule: PixelRule
    background: int

    def tile(self, row: int, column: int) -> Interleaved:
        """(H, W, C) of a tile.

        Raises `InputError`, with the tile's place, when it cannot be decoded.
        """
        parts = [self._decoded(plane, row, column) for plane in range(self.planes)]
        if any(part is None for part in parts):  # left out of a sparse file
            return np.full(
                (self.size[1], self.size[0], self.rule.channels), self.background, self.rule.dtype
            )
        return self.rule(_join_channels([np.asarray(part) for part in parts]))

    def _decoded(self, plane: int, row: int, column: int) -> Interleaved | None:
        index = (plane * self.grid[0] + row) * self.grid[1] + column
        if self.counts[index] == 0:
            return None
        data = self.file.read(self.offsets[index], self.counts[index])
        try:
            tile = self.decode(data, index, **self.tables)[0]
        # codecs raise errors of some thirty classes of their own, for damaged data as for
        # unsupported features
        except Exception as error:
            where = f"{self.file.path}, level {self.level}, tile at column {column}, row {row}"
            raise InputError(
                "a tile cannot be decoded", where=where, got=str(error) or type(error).__name__
            ) from error
        return None if tile is None else np.asarray(tile[0])


@dataclass(frozen=True, eq=False)
class RawPlane:
    """One plane of uncompressed rows of `width` pixels, `samples` interleaved; `stored` is the
    dtype in the file.
    """

    file: FileBytes
    offset: int
    width: int
    samples: int
    stored: np.dtype[Any]

    def region(self, x: int, y: int, width: int, height: int) -> Interleaved:
        """(height, width, samples) of a box."""
        pixel = self.samples * self.stored.itemsize
        row = self.width * pixel
        if 2 * width > self.width:  # whole rows in one go, and cut
            data = np.frombuffer(self.file.read(self.offset + y * row, height * row), self.stored)
            return data.reshape(height, self.width, self.samples)[:, x : x + width]
        out = np.empty((height, width, self.samples), self.stored)
        for i in range(height):
            data = np.frombuffer(
                self.file.read(self.offset + (y + i) * row + x * pixel, width * pixel), self.stored
            )
            out[i] = data.reshape(width, self.samples)
        return out


@dataclass(frozen=True, eq=False)
class RawLevel:
    """An uncompressed level: for each page its planes (several where samples are stored
    separately).
    """

    size: tuple[int, int]
    pages: tuple[tuple[RawPlane, ...], ...]
    rule: PixelRule

    def region(self, x: int, y: int, width: int, height: int) -> Interleaved:
        """(height, width, C) of a box that lies inside the level."""
        parts = [
            self.rule(_join_channels([plane.region(x, y, width, height) for plane in page]))
            for page in self.pages
        ]
        return _join_channels(parts)


def _join_channels(parts: list[Interleaved]) -> Interleaved:
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)


def make_level(
    pages: tuple[PlaneRef, ...], level: int, files: Files, cache: TileCache
) -> tuple[StoredLevel, PixelRule]:
    """The level made of `pages`, one per channel, and the rule of each page's samples.

    Raises `InputError` for a truncated file and for what is not read.
    """
    first = pages[0].page.keyframe
    size = (int(first.imagewidth), int(first.imagelength))
    path = files(pages[0].page).path
    rule = choose_pixel_rule(first, path)
    planes = int(first.samplesperpixel) if int(first.planarconfig) == 2 else 1
    if is_raw(pages[0].page) and all(is_raw(page.page) for page in pages):
        return _raw_level(pages, size, files, rule, planes), rule
    _check_segment_size(first, path)
    parts = [_segments(of.page, files(of.page), level, planes, rule) for of in pages]
    channels = rule.channels * len(pages)

    def decode(row: int, column: int) -> Interleaved:
        return _join_channels([part.tile(row, column) for part in parts])

    return Mosaic(size, get_segment_size(first), channels, rule.dtype, decode, cache, level), rule


def is_raw(page: Any) -> bool:
    """Whether the page's pixels lie uncompressed, row by row, in one piece of the file."""
    first = page.keyframe
    plain = int(first.compression) == 1 and int(first.predictor) == 1 and int(first.fillorder) == 1
    if (
        not plain
        or first.is_tiled
        or first.bitspersample not in (8, 16, 32, 64)
        or not len(page.dataoffsets)
    ):
        return False
    ends = (
        offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)
    )
    gapless = all(end == begin for end, begin in zip(ends, page.dataoffsets[1:], strict=False))
    return gapless and sum(page.databytecounts) >= first.nbytes


def _raw_level(
    pages: tuple[PlaneRef, ...], size: tuple[int, int], files: Files, rule: PixelRule, planes: int
) -> RawLevel:
    first = pages[0].page.keyframe
    stored = np.dtype(first.dtype).newbyteorder(first.parent.byteorder)
    samples = int(first.samplesperpixel) // planes
    plane_bytes = size[0] * size[1] * samples * stored.itemsize
    placed = []
    for of in pages:
        file, start = files(of.page), of.page.dataoffsets[0] + of.follows * int(first.nbytes)
        if start + planes * plane_bytes > file.size:
            raise truncation_error(file, start + planes * plane_bytes)
        placed.append(
            tuple(
                RawPlane(file, start + p * plane_bytes, size[0], samples, stored)
                for p in range(planes)
            )
        )
    return RawLevel(size, tuple(placed), rule)


def get_segment_size(page: Any) -> tuple[int, int]:
    """(width, height) of a tile or strip."""
    if page.is_tiled:
        return int(page.tilewidth), int(page.tilelength)
    return int(page.imagewidth), int(min(page.rowsperstrip, page.imagelength))


def _segments(page: Any, file: FileBytes, level: int, planes: int, rule: PixelRule) -> Segments:
    """Everything needed to decode without touching tifffile's own file, which is closed by then."""
    first = page.keyframe
    width, height = get_segment_size(first)
    grid = (-(-int(first.imagelength) // height), -(-int(first.imagewidth) // width))
    offsets, counts = tuple(page.dataoffsets), tuple(page.databytecounts)
    if not len(offsets) == len(counts) == planes * grid[0] * grid[1]:
        expected = planes * grid[0] * grid[1]
        raise InputError(
            "the TIFF's list of tiles is damaged",
            where=file.path,
            expected=expected,
            got=len(offsets),
        )
    end = int((np.asarray(offsets, np.uint64) + np.asarray(counts, np.uint64)).max(initial=0))
    if end > file.size:
        raise truncation_error(file, end)
    parts = {"jpegtables": page.jpegtables, "jpegheader": getattr(page, "jpegheader", None)}
    tables = {name: value for name, value in parts.items() if value is not None}
    white = 255 if rule.is_colour and np.dtype(rule.dtype) == np.uint8 else 0
    size = (width, height)
    return Segments(
        file, level, size, grid, planes, offsets, counts, first.decode, tables, rule, white
    )


def _check_segment_size(page: Any, path: object) -> None:
    width, height = get_segment_size(page)
    size = width * height * int(page.samplesperpixel) * np.dtype(page.dtype).itemsize
    if size > LARGEST_SEGMENT_BYTES:
        raise InputError(
            "the TIFF is compressed in pieces too large to read",
            where=path,
            expected=f"tiles or strips of at most {LARGEST_SEGMENT_BYTES / 2**30:.0f} GiB",
            got=f"{size / 2**30:.1f} GiB",
            remedy="convert it to a tiled TIFF",
        )


def truncation_error(file: FileBytes, end: int) -> InputError:
    """The error for a file shorter than its own directory says."""
    return InputError(
        "the file is truncated",
        where=file.path,
        expected=f"{end} bytes",
        got=file.size,
        remedy="copy it again",
    )
