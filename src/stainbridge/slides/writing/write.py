"""Writing slides: any `Slide` as a pyramidal tiled OME-TIFF or TIFF, streamed, whole or not at all."""

from __future__ import annotations

import os
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

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.warp import Interleaved
from stainbridge.slides.slide import Slide
from stainbridge.slides.writing.container import Directory, Segment, Tag, TiffContainer
from stainbridge.slides.writing.encode import Codec, Compression
from stainbridge.slides.writing.ome import make_ome_xml
from stainbridge.slides.writing.opencv_threads import single_threaded_opencv
from stainbridge.slides.writing.pyramid import ParentTiles, Pyramid, Reduction, TileKey, halve
from stainbridge.whole import whole_file

SlideFormat = Literal["ome-tiff", "tiff"]
Progress = Callable[[int, int], None]  # full-resolution tiles done, and of how many

#: How many tiles are handed to the threads before the first of them is waited for.
TILES_AHEAD = 24


def write_slide(
    slide: Slide,
    path: Path | str,
    *,
    format: SlideFormat = "ome-tiff",
    compression: Compression | None = None,
    quality: int = 85,
    tile: int = 512,
    reduction: Reduction = "mean",
    threads: int | None = None,
    progress: Progress | None = None,
    overwrite: bool = False,
) -> None:
    """Write `slide` as a pyramid whose levels halve, at `path`, which appears whole or not at all.

    "ome-tiff" keeps pixel size, channel names and colours and stores its levels as SubIFDs, one
    plane a channel; "tiff" stores them as further directories, which OpenSlide needs to see more
    than the first, and has no channel names. `compression` defaults to JPEG for RGB and deflate
    otherwise (zstd is faster; fewer readers know it). Use `reduction` "nearest" for labels. Each
    full-resolution tile is read once, in `threads` threads (default: one a core); memory does not
    grow with the slide. `progress` is called in the calling thread.

    Raises `InputError` for an impossible combination, an existing file without `overwrite`, a
    folder that is missing or cannot be written, and a full disk.
    """
    path = Path(path)
    _check(path, format, tile, threads, overwrite)
    info = slide.info
    planar = format == "ome-tiff" and not info.is_rgb
    samples = 1 if planar else len(info.channels)
    compression = compression or ("jpeg" if info.is_rgb else "deflate")
    codec = Codec(compression, quality, np.dtype(info.dtype), samples, info.is_rgb)
    job = _Job(slide, Pyramid(slide.frame.height, slide.frame.width, tile), codec, reduction)
    with whole_file(path) as temporary, temporary.open("wb", buffering=2**20) as file:
        container = TiffContainer(file)
        segments = _write_tiles(job, container, threads or _cores(), progress)
        container.finish(_directories(job, segments, format, path.name))


def _check(path: Path, format: str, tile: int, threads: int | None, overwrite: bool) -> None:
    if format not in get_args(SlideFormat):
        raise InputError(
            "no such slide format", expected=" | ".join(get_args(SlideFormat)), got=format
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
class _Job:
    """What is written, and the work on one tile that threads share."""

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
        size, samples = self.pyramid.tile, self.codec.samples
        short = [(0, size - have) for have in pixels.shape[:2]]
        # Continued at the slide's edge: JPEG would ring across a jump to black.
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
    planes: list[tuple[bytes, bool]]  # encoded, and whether flat
    quarter: Interleaved | None


Segments = dict[TileKey, list[Segment]]  # one segment a plane


def _write_tiles(
    job: _Job, container: TiffContainer, threads: int, progress: Progress | None
) -> Segments:
    """All tiles of all levels into the container, each parent as soon as its children are there."""
    segments: Segments = {}
    parents = ParentTiles(job.pyramid)
    rows, columns = job.pyramid.counts(0)
    done = 0
    keys = job.pyramid.order()
    with _pool(threads) as pool:
        # Results are taken in the order of submission, so that the same slide gives the same file
        # on any machine.
        pending = deque(pool.submit(job.read, key) for key in islice(keys, TILES_AHEAD))
        while pending:
            tile = pending.popleft().result()
            segments[tile.key] = [
                (container.append_once if flat else container.append)(data)
                for data, flat in tile.planes
            ]
            parent = parents.add(tile.key, tile.quarter) if tile.quarter is not None else None
            if parent is not None:
                pending.append(pool.submit(job.encode, *parent))
            if tile.key.level == 0:
                done += 1
                pending.extend(pool.submit(job.read, key) for key in islice(keys, 1))
                if progress is not None:
                    progress(done, rows * columns)
    return segments


@contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that drop what is not yet begun when an exception (Ctrl-C, a full disk) ends the
    work.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="write_slide")
    try:
        with single_threaded_opencv():
            yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _directories(job: _Job, segments: Segments, format: SlideFormat, name: str) -> list[Directory]:
    """One directory a channel with its levels below it (OME-TIFF), or one directory a level
    (plain).
    """
    levels = range(len(job.pyramid.sizes))
    if format == "tiff":
        return [Directory(_tags(job, segments, level, 0, b"")) for level in levels]
    description = make_ome_xml(job.slide.frame, job.slide.info, job.slide.stain or name) + b"\0"
    directories = []
    for plane in range(len(job.slide.info.channels) // job.codec.samples):
        first, *below = (
            _tags(job, segments, level, plane, b"" if level or plane else description)
            for level in levels
        )
        directories.append(Directory(first, tuple(Directory(tags) for tags in below)))
    return directories


def _tags(
    job: _Job, segments: Segments, level: int, plane: int, description: bytes
) -> tuple[Tag, ...]:
    height, width = job.pyramid.sizes[level]
    rows, columns = job.pyramid.counts(level)
    ordered = [
        segments[TileKey(level, row, column)][plane]
        for row in range(rows)
        for column in range(columns)
    ]
    tags = [
        Tag(254, "long", [1 if level else 0]),
        Tag(256, "long", [width]),
        Tag(257, "long", [height]),
        *job.codec.tags,
        Tag(305, "ascii", b"stainbridge\0"),
        Tag(322, "short", [job.pyramid.tile]),
        Tag(323, "short", [job.pyramid.tile]),
        Tag(324, "offset", [offset for offset, _ in ordered]),
        Tag(325, "long", [length for _, length in ordered]),
    ]
    if description:
        tags.append(Tag(270, "ascii", description))
    if job.slide.frame.calibrated:
        tags += _resolution(job.slide.frame, width, height)
    return tuple(tags)


def _resolution(frame: Frame, width: int, height: int) -> list[Tag]:
    """Pixels per centimetre of a level of `width` x `height` pixels."""
    per_cm = [
        Fraction(10_000 * pixels / size_um).limit_denominator(10_000)
        for pixels, size_um in zip((width, height), frame.size_um, strict=True)
    ]
    return [
        *(
            Tag(code, "rational", [f.numerator, f.denominator])
            for code, f in zip((282, 283), per_cm, strict=True)
        ),
        Tag(296, "short", [3]),
    ]
