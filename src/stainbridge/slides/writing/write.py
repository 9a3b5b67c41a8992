"""Write any slide as a pyramidal tiled OME-TIFF or TIFF, in a stream, whole or not at all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from stainbridge.compute import available_cores, opencv_threads
from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.warp import Interleaved
from stainbridge.partial import remove_abandoned
from stainbridge.slides.slide import Slide, SlideInfo
from stainbridge.slides.writing.container import Directory, Segment, Tag, TiffContainer
from stainbridge.slides.writing.encode import Codec, Compression
from stainbridge.slides.writing.ome import make_ome_xml
from stainbridge.slides.writing.pyramid import ParentTiles, Pyramid, Reduction, TileKey, halve
from stainbridge.whole import whole_file

SlideFormat = Literal["ome-tiff", "tiff"]
#: Called with the number of full-resolution tiles written, and of all of them.
TileProgress = Callable[[int, int], None]

#: How many tiles are given to the threads before the first result is waited for.
TILES_AHEAD = 24
#: Most bytes of pixels of an output: the largest scans have a tenth of it.
MOST_BYTES = 2 * 10**12


def write_slide(
    slide: Slide,
    path: Path | str,
    *,
    file_format: SlideFormat = "ome-tiff",
    compression: Compression | None = None,
    quality: int = 85,
    tile: int = 512,
    reduction: Reduction = "mean",
    threads: int | None = None,
    progress: TileProgress | None = None,
    overwrite: bool = False,
) -> None:
    """Write `slide` as a pyramid whose levels halve to `path`, which appears whole or not at all.

    Each full-resolution tile is read once; memory does not grow with the slide.

    Args:
        slide: What is written.
        path: The file.
        file_format: "ome-tiff" keeps pixel size, channel names and colours; its levels are SubIFDs,
            one plane a channel. "tiff" has its levels in further directories, which OpenSlide needs
            to see more than the first, and has no channel names.
        compression: Default: JPEG for RGB, else deflate. zstd is faster; fewer readers know it.
        quality: JPEG's, 1 to 100.
        tile: Side of a tile in pixels, a multiple of 16.
        reduction: How levels are made; "nearest" is for labels.
        threads: Default: one a core.
        progress: Called with the tiles done and their number, in the calling thread.
        overwrite: Whether an existing file is replaced.

    Raises:
        InputError: An impossible combination, an existing file without `overwrite`, a folder that
            is missing or cannot be written, a full disk.

    Example:
        >>> slide = stainbridge.generate_pair(seed=3, size_px=256, mpp=4.0).fixed
        >>> stainbridge.write_slide(slide, "he-copy.ome.tiff", compression="zstd")
        >>> with stainbridge.open_slide("he-copy.ome.tiff") as copy:
        ...     copy.frame.mpp
        (4.0, 4.0)

    """
    path = Path(path)
    _check_source(slide, reduction)
    _check(path, file_format, tile, threads, overwrite)
    check_output_size(slide, path)
    codec = choose_codec(slide.info, file_format, compression, quality)
    task = _WriteTask(slide, Pyramid(slide.frame.height, slide.frame.width, tile), codec, reduction)
    remove_abandoned(path.parent)
    with whole_file(path) as temporary, temporary.open("wb", buffering=2**20) as file:
        container = TiffContainer(file)
        segments = _write_tiles(task, container, threads or available_cores(), progress)
        container.finish(_directories(task, segments, file_format, path.name))


def check_output_size(slide: Slide, path: Path) -> None:
    """Raise `InputError` for a slide larger than any scanner makes; its pixels are not read."""
    item_bytes = np.dtype(slide.info.dtype).itemsize * len(slide.info.channels)
    total = slide.frame.height * slide.frame.width * item_bytes
    if total > MOST_BYTES:
        width, height = slide.frame.width, slide.frame.height
        raise InputError(
            f"the output would be {total / 10**12:.3g} TB of pixels",
            where=path,
            expected=f"at most {MOST_BYTES // 10**12} TB",
            got=f"{width} x {height} pixels",
            remedy="choose a coarser pixel size",
        )


def choose_codec(
    info: SlideInfo,
    file_format: SlideFormat = "ome-tiff",
    compression: Compression | None = None,
    quality: int = 85,
) -> Codec:
    """Return how a slide's tiles are encoded; see `write_slide`.

    Raises `InputError` for pixels that cannot be written so.
    """
    planar = file_format == "ome-tiff" and not info.is_rgb
    samples = 1 if planar else len(info.channels)
    compression = compression or ("jpeg" if info.is_rgb else "deflate")
    return Codec(compression, quality, np.dtype(info.dtype), samples, info.is_rgb)


def _check_source(slide: Slide, reduction: str) -> None:
    if not isinstance(slide, Slide):
        raise InputError(
            "not a slide",
            where="slide",
            expected="an opened slide",
            got=type(slide).__name__,
            remedy="as_slide makes one of an array or a path",
        )
    if reduction not in get_args(Reduction):
        known = " | ".join(get_args(Reduction))
        raise InputError("no such reduction", expected=known, got=reduction)


def _check(path: Path, file_format: str, tile: int, threads: int | None, overwrite: bool) -> None:
    if file_format not in get_args(SlideFormat):
        raise InputError(
            "no such slide format", expected=" | ".join(get_args(SlideFormat)), got=file_format
        )
    if tile < 16 or tile % 16:
        raise InputError("a TIFF tile's side is a multiple of 16", expected="16, 32, ...", got=tile)
    if threads is not None and threads < 1:
        raise InputError("at least one thread is needed", got=threads)
    if path.is_dir():
        raise InputError("is a folder", where=path, expected="a file name")
    if path.exists() and not overwrite:
        raise InputError(
            "exists already", where=path, remedy="choose another name or allow overwriting"
        )


@dataclass(frozen=True)
class _WriteTask:
    """What is written, and the work on one tile, which threads share."""

    slide: Slide
    pyramid: Pyramid
    codec: Codec
    reduction: Reduction

    def read(self, key: TileKey) -> _Tile:
        """Read and encode a full-resolution tile."""
        height, width = self.pyramid.shape(key)
        size = self.pyramid.tile
        image = self.slide.read(
            self.slide.frame.crop(key.column * size, key.row * size, width, height)
        )
        return self.encode(key, np.moveaxis(image.pixels, 0, -1))

    def encode(self, key: TileKey, pixels: Interleaved) -> _Tile:
        """Encode a tile (H, W, C) of any level and reduce it for its parent."""
        size = self.pyramid.tile
        samples = self.codec.samples
        short = [(0, size - have) for have in pixels.shape[:2]]
        # The edge is repeated: JPEG would ring across a jump to black.
        full = (
            pixels if short == [(0, 0), (0, 0)] else np.pad(pixels, [*short, (0, 0)], mode="edge")
        )
        planes = [
            self.codec.encode(full[..., i : i + samples]) for i in range(0, full.shape[2], samples)
        ]
        quarter = None
        if self.pyramid.parent(key) is not None:
            quarter = halve(pixels, self.pyramid.quarter_shape(key), self.reduction)
        return _Tile(key, planes, quarter)


@dataclass(frozen=True, eq=False)
class _Tile:
    key: TileKey
    #: Encoded bytes of each plane, and whether it is one flat colour.
    planes: list[tuple[bytes, bool]]
    #: Its pixels in its parent, (h, w, C).
    quarter: Interleaved | None


#: Where the tiles are in the file: one segment a plane.
Segments = dict[TileKey, list[Segment]]


def _write_tiles(
    task: _WriteTask, container: TiffContainer, threads: int, progress: TileProgress | None
) -> Segments:
    """Write all tiles of all levels, each parent as soon as its children are written."""
    segments: Segments = {}
    parents = ParentTiles(task.pyramid)
    rows, columns = task.pyramid.count_tiles(0)
    done = 0
    keys = task.pyramid.iterate_tiles()
    with _open_thread_pool(threads) as pool:
        # In the order of submission, so that a slide gives the same file on any machine.
        pending = deque(pool.submit(task.read, key) for key in islice(keys, TILES_AHEAD))
        while pending:
            tile = pending.popleft().result()
            segments[tile.key] = [
                (container.append_once if flat else container.append)(data)
                for data, flat in tile.planes
            ]
            parent = parents.add(tile.key, tile.quarter) if tile.quarter is not None else None
            if parent is not None:
                pending.append(pool.submit(task.encode, *parent))
            if tile.key.level == 0:
                done += 1
                pending.extend(pool.submit(task.read, key) for key in islice(keys, 1))
                if progress is not None:
                    progress(done, rows * columns)
    return segments


@contextmanager
def _open_thread_pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Lend threads that drop waiting work when an exception (Ctrl-C, a full disk) ends it."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="write_slide")
    try:
        with opencv_threads.one():
            yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _directories(
    task: _WriteTask, segments: Segments, file_format: SlideFormat, name: str
) -> list[Directory]:
    """Return one directory a channel, with its levels below it, or one directory a level.

    The first is for OME-TIFF, the second for plain TIFF.
    """
    levels = range(len(task.pyramid.sizes))
    if file_format == "tiff":
        return [Directory(_tags(task, segments, level, 0, b"")) for level in levels]
    description = make_ome_xml(task.slide.frame, task.slide.info, task.slide.stain or name) + b"\0"
    directories = []
    for plane in range(len(task.slide.info.channels) // task.codec.samples):
        first, *below = (
            _tags(task, segments, level, plane, b"" if level or plane else description)
            for level in levels
        )
        directories.append(Directory(first, tuple(Directory(tags) for tags in below)))
    return directories


def _tags(
    task: _WriteTask, segments: Segments, level: int, plane: int, description: bytes
) -> tuple[Tag, ...]:
    height, width = task.pyramid.sizes[level]
    rows, columns = task.pyramid.count_tiles(level)
    ordered = [
        segments[TileKey(level, row, column)][plane]
        for row in range(rows)
        for column in range(columns)
    ]
    tags = [
        Tag(254, "long", [1 if level else 0]),
        Tag(256, "long", [width]),
        Tag(257, "long", [height]),
        *task.codec.tags,
        Tag(305, "ascii", b"stainbridge\0"),
        Tag(322, "short", [task.pyramid.tile]),
        Tag(323, "short", [task.pyramid.tile]),
        Tag(324, "offset", [offset for offset, _ in ordered]),
        Tag(325, "long", [length for _, length in ordered]),
    ]
    if description:
        tags.append(Tag(270, "ascii", description))
    profile = task.slide.info.icc_profile
    if profile is not None and task.codec.rgb and level == 0:
        tags.append(Tag(34675, "undefined", profile))
    if task.slide.frame.calibrated:
        tags += _resolution(task.slide.frame, width, height)
    return tuple(tags)


def _resolution(frame: Frame, width: int, height: int) -> list[Tag]:
    """Return the tags of the pixels per centimetre of a level of `width` x `height` pixels."""
    per_cm = [
        Fraction(10_000 * pixels / size_um).limit_denominator(10_000)
        for pixels, size_um in zip((width, height), frame.size_um, strict=True)
    ]
    return [
        *(
            Tag(code, "rational", [ratio.numerator, ratio.denominator])
            for code, ratio in zip((282, 283), per_cm, strict=True)
        ),
        Tag(296, "short", [3]),
        *_position(frame),
    ]


def _position(frame: Frame) -> list[Tag]:
    """Return the tags of a crop's place in centimetres; TIFF has none for places before 0."""
    if frame.origin_um == (0, 0) or min(frame.origin_um) < 0:
        return []
    places = [
        Fraction(origin_um / 10_000).limit_denominator(1_000_000) for origin_um in frame.origin_um
    ]
    return [
        Tag(code, "rational", [place.numerator, place.denominator])
        for code, place in zip((286, 287), places, strict=True)
    ]
