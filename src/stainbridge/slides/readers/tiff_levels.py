"""Levels of a TIFF: tiles or strips decoded one by one, or uncompressed rows read in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stainbridge.causes import describe_cause
from stainbridge.errors import InputError
from stainbridge.slides.readers.blank_segments import BlankSegments
from stainbridge.slides.readers.file_bytes import FileBytes
from stainbridge.slides.readers.jpeg_check import decode_undamaged, find_jpeg_damage
from stainbridge.slides.readers.mosaic import Mosaic, StoredLevel
from stainbridge.slides.readers.resample import Interleaved
from stainbridge.slides.readers.tiff_layout import PlaneRef
from stainbridge.slides.readers.tiff_pixels import YCBCR, PixelRule, choose_pixel_rule
from stainbridge.slides.readers.tile_cache import TileCache

#: A compressed segment of more decoded bytes than this is refused: it cannot be read in parts.
LARGEST_SEGMENT_BYTES = 2 * 2**30

#: Values of the tag Compression that mean JPEG.
JPEG_COMPRESSIONS = (7, 33007)

#: Gives the open file that a page is in.
GetFile = Callable[[Any], FileBytes]


@dataclass(frozen=True, eq=False)
class Segments:
    """The tiles or strips of one page."""

    file: FileBytes
    """The file that they are in."""
    level: int
    """The level's number, for messages."""
    size: tuple[int, int]
    """(width, height) of a tile, in pixels."""
    grid: tuple[int, int]
    """(rows, columns) of tiles."""
    planes: int
    """Number of samples stored separately; 1 when they are interleaved."""
    offsets: tuple[int, ...]
    """Place of each tile in the file, in bytes."""
    counts: tuple[int, ...]
    """Length of each tile in the file, in bytes; 0 where it is left out."""
    decode: Callable[..., Any]
    """tifffile's decoder."""
    tables: dict[str, bytes]
    """JPEG tables that the tiles share."""
    rule: PixelRule
    """Makes channels of samples."""
    background: int
    """The value of a tile that is left out."""
    is_jpeg: bool = False
    """Whether the tiles are baseline JPEG."""
    is_ycbcr: bool = False
    """Whether their three samples are YCbCr."""
    blanks: BlankSegments = field(default_factory=BlankSegments)
    """Tiles of one colour, which need not be decoded again."""

    def tile(self, row: int, column: int) -> Interleaved:
        """Return (H, W, C) of a tile.

        Raises `InputError`, with the tile's place, when it cannot be decoded.
        """
        parts = [self._decode_plane(plane, row, column) for plane in range(self.planes)]
        if any(part is None for part in parts):  # left out of a sparse file
            shape = (self.size[1], self.size[0], self.rule.channels)
            return np.full(shape, self.background, self.rule.dtype)
        return self.rule(_join_channels([np.asarray(part) for part in parts]))

    def identify(self, row: int, column: int) -> tuple[int, ...]:
        """Return where a tile's planes lie in the file: tiles may share them."""
        return tuple(self.offsets[self._index(plane, row, column)] for plane in range(self.planes))

    def _index(self, plane: int, row: int, column: int) -> int:
        return (plane * self.grid[0] + row) * self.grid[1] + column

    def _decode_plane(self, plane: int, row: int, column: int) -> Interleaved | None:
        index = self._index(plane, row, column)
        if self.counts[index] == 0:
            return None
        data = self.file.read(self.offsets[index], self.counts[index])
        blank = self.blanks.find(data)
        if blank is not None:
            return blank
        tile = self._decode_undamaged(data)
        if tile is not None:
            return self.blanks.keep(data, tile)
        try:
            tile = self._decode_bytes(data, index)
            damage = self._find_damage(data, index, tile)
        # codecs raise errors of some thirty classes of their own
        except Exception as error:
            raise self._tile_error(row, column, describe_cause(error)) from error
        if damage is not None:
            raise self._tile_error(row, column, damage)
        return None if tile is None else self.blanks.keep(data, tile)

    def _decode_undamaged(self, data: bytes) -> Interleaved | None:
        """Return (H, W, 3) of a whole tile in ordinary JPEG, None of any other."""
        if not (self.is_jpeg and self.is_ycbcr):
            return None
        pixels = decode_undamaged(data, self.tables.get("jpegtables"))
        is_whole = pixels is not None and pixels.shape[:2] == (self.size[1], self.size[0])
        return pixels if is_whole else None

    def _decode_bytes(self, data: bytes, index: int) -> Interleaved | None:
        tile, _, shape = self.decode(data, index, **self.tables)
        if tile is None:
            return None
        if any(have < want for have, want in zip(tile.shape[1:3], shape[1:3], strict=True)):
            raise ValueError(
                f"{tile.shape[2]} x {tile.shape[1]} pixels, not {shape[2]} x {shape[1]}"
            )
        return np.asarray(tile[0])

    def _find_damage(self, data: bytes, index: int, tile: Interleaved | None) -> str | None:
        if not self.is_jpeg or tile is None:
            return None

        def decode(longer: bytes) -> Interleaved:
            return np.asarray(self._decode_bytes(longer, index))

        return find_jpeg_damage(data, tile, decode, self.tables.get("jpegtables"))

    def _tile_error(self, row: int, column: int, got: str) -> InputError:
        where = f"{self.file.path}, level {self.level}, tile at column {column}, row {row}"
        return InputError("a tile cannot be decoded", where=where, got=got)


@dataclass(frozen=True, eq=False)
class RawPlane:
    """One plane of uncompressed rows."""

    file: FileBytes
    """The file that it is in."""
    offset: int
    """Place of its first pixel, in bytes."""
    width: int
    """Pixels in a row."""
    samples: int
    """Interleaved samples of a pixel."""
    dtype: np.dtype[Any]
    """Type of a sample in the file, with its byte order."""

    def region(self, x: int, y: int, width: int, height: int) -> Interleaved:
        """Return (height, width, samples) of a box."""
        pixel_bytes = self.samples * self.dtype.itemsize
        row_bytes = self.width * pixel_bytes
        if 2 * width > self.width:  # read whole rows at once, and crop them
            rows = self.file.read(self.offset + y * row_bytes, height * row_bytes)
            data = np.frombuffer(rows, self.dtype)
            return data.reshape(height, self.width, self.samples)[:, x : x + width]
        out = np.empty((height, width, self.samples), self.dtype)
        for i in range(height):
            place = self.offset + (y + i) * row_bytes + x * pixel_bytes
            data = np.frombuffer(self.file.read(place, width * pixel_bytes), self.dtype)
            out[i] = data.reshape(width, self.samples)
        return out


@dataclass(frozen=True, eq=False)
class RawLevel:
    """An uncompressed level."""

    size: tuple[int, int]
    """(width, height) in pixels."""
    pages: tuple[tuple[RawPlane, ...], ...]
    """For each page its planes: several where samples are stored separately."""
    rule: PixelRule
    """Makes channels of a page's samples."""

    def region(self, x: int, y: int, width: int, height: int) -> Interleaved:
        """Return (height, width, C) of a box that lies inside the level."""
        parts = [
            self.rule(_join_channels([plane.region(x, y, width, height) for plane in page]))
            for page in self.pages
        ]
        return _join_channels(parts)


def _join_channels(parts: list[Interleaved]) -> Interleaved:
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)


def make_level(
    pages: tuple[PlaneRef, ...],
    level: int,
    get_file: GetFile,
    cache: TileCache,
    *,
    mask: bool = False,
) -> tuple[StoredLevel, PixelRule]:
    """Return the level made of `pages`, one per channel, and the rule of each page's samples.

    Raises `InputError` for a truncated file and for what is not read.
    """
    first = pages[0].page.keyframe
    size = (int(first.imagewidth), int(first.imagelength))
    path = get_file(pages[0].page).path
    rule = choose_pixel_rule(first, path, mask=mask)
    planes = int(first.samplesperpixel) if int(first.planarconfig) == 2 else 1
    if is_raw(pages[0].page) and all(is_raw(page.page) for page in pages):
        return _make_raw_level(pages, size, get_file, rule, planes), rule
    _check_segment_size(first, path)
    parts = [_make_segments(each.page, get_file(each.page), level, planes, rule) for each in pages]
    channels = rule.channels * len(pages)

    def decode(row: int, column: int) -> Interleaved:
        return _join_channels([part.tile(row, column) for part in parts])

    def identify(row: int, column: int) -> tuple[tuple[int, ...], ...]:
        return tuple(part.identify(row, column) for part in parts)

    tile_size = get_segment_size(first)
    return Mosaic(
        size, tile_size, channels, rule.dtype, decode, cache, level, identify=identify
    ), rule


def is_raw(page: Any) -> bool:
    """Return whether the page's pixels lie uncompressed, row by row, in one piece of the file."""
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


def _make_raw_level(
    pages: tuple[PlaneRef, ...],
    size: tuple[int, int],
    get_file: GetFile,
    rule: PixelRule,
    planes: int,
) -> RawLevel:
    first = pages[0].page.keyframe
    dtype = np.dtype(first.dtype).newbyteorder(first.parent.byteorder)
    samples = int(first.samplesperpixel) // planes
    plane_bytes = size[0] * size[1] * samples * dtype.itemsize
    placed = []
    for each in pages:
        file = get_file(each.page)
        start = each.page.dataoffsets[0] + each.plane * int(first.nbytes)
        end = start + planes * plane_bytes
        if end > file.size:
            raise truncation_error(file, end)
        offsets = range(start, end, plane_bytes)
        placed.append(tuple(RawPlane(file, at, size[0], samples, dtype) for at in offsets))
    return RawLevel(size, tuple(placed), rule)


def get_segment_size(page: Any) -> tuple[int, int]:
    """Return (width, height) of a tile or strip."""
    if page.is_tiled:
        return int(page.tilewidth), int(page.tilelength)
    return int(page.imagewidth), int(min(page.rowsperstrip, page.imagelength))


def _make_segments(
    page: Any, file: FileBytes, level: int, planes: int, rule: PixelRule
) -> Segments:
    """Return all that decoding needs; tifffile's own file is closed by then."""
    first = page.keyframe
    width, height = get_segment_size(first)
    grid = (-(-int(first.imagelength) // height), -(-int(first.imagewidth) // width))
    offsets = tuple(page.dataoffsets)
    counts = tuple(page.databytecounts)
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
    placed = (size, grid, planes, offsets, counts)
    is_jpeg = int(first.compression) in JPEG_COMPRESSIONS
    is_ycbcr = int(first.photometric) == YCBCR and int(first.samplesperpixel) == 3 and planes == 1
    return Segments(file, level, *placed, first.decode, tables, rule, white, is_jpeg, is_ycbcr)


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
    """Return the error for a file that is shorter than its own directory says."""
    return InputError(
        "the file is truncated",
        where=file.path,
        expected=f"{end} bytes",
        got=file.size,
        remedy="copy it again",
    )
