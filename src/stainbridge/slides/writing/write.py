"""Write any slide as a pyramidal tiled OME-TIFF, TIFF or OME-Zarr, in a stream, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from stainbridge.errors import InputError, errors_within
from stainbridge.partial import remove_abandoned
from stainbridge.slides.readers.magic import is_zarr_folder
from stainbridge.slides.slide import Slide, SlideInfo
from stainbridge.slides.writing.encode import Codec, Compression
from stainbridge.slides.writing.limits import check_pixel_bytes
from stainbridge.slides.writing.pyramid import Reduction
from stainbridge.slides.writing.tiff_file import write_tiff
from stainbridge.slides.writing.tile_loop import TileProgress
from stainbridge.slides.writing.zarr_folder import ChunkCodec, write_zarr
from stainbridge.whole import whole_file, whole_folder

SlideFormat = Literal["ome-tiff", "tiff", "ome-zarr"]
#: The ending of OME-Zarr folders.
ZARR = ".zarr"
#: Endings of pictures that are not written.
OTHER_PICTURES = (".png", ".jpg", ".jpeg", ".jp2", ".bmp", ".gif", ".webp")


def write_slide(
    slide: Slide,
    path: Path | str,
    *,
    file_format: SlideFormat | None = None,
    compression: Compression | None = None,
    quality: int = 85,
    tile: int = 512,
    reduction: Reduction = "mean",
    threads: int | None = None,
    progress: TileProgress | None = None,
    finish: Callable[[Path], None] | None = None,
    overwrite: bool = False,
) -> None:
    """Write `slide` as a pyramid whose levels halve to `path`, which appears whole or not at all.

    Each full-resolution tile is read once; memory does not grow with the slide.

    Args:
        slide: What is written.
        path: The file, or the folder of an OME-Zarr.
        file_format: "ome-tiff" keeps pixel size, channel names and colours; its levels are SubIFDs,
            one plane a channel. "tiff" has its levels in further directories, which OpenSlide needs
            to see more than the first, and has no channel names. "ome-zarr" is NGFF 0.5 and keeps
            what OME-TIFF does; an ICC profile is an attribute of its group. Default: "ome-zarr" for
            a path that ends in .zarr, else "ome-tiff".
        compression: Default: JPEG for RGB, else deflate; zstd for OME-Zarr. zstd is faster; fewer
            readers know it.
        quality: JPEG's, 1 to 100.
        tile: Side of a tile in pixels, a multiple of 16.
        reduction: How levels are made; "nearest" is for labels.
        threads: Default: one a core.
        progress: Called with the tiles done and their number, in the calling thread.
        finish: Called with what was written before it appears under its name.
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
    file_format = file_format or format_of_name(path)
    _check_source(slide, reduction)
    _check(path, file_format, tile, threads, overwrite)
    check_output_size(slide, path)
    with errors_within(path):
        codec = choose_codec(slide.info, file_format, compression, quality)
    remove_abandoned(path.parent)
    if isinstance(codec, ChunkCodec):
        with whole_folder(path) as folder:
            write_zarr(
                slide,
                folder,
                codec,
                name=path.name,
                tile=tile,
                reduction=reduction,
                threads=threads,
                progress=progress,
            )
            if finish is not None:
                finish(folder)
        return
    with whole_file(path) as file:
        write_tiff(
            slide,
            file,
            codec,
            layout="tiff" if file_format == "tiff" else "ome-tiff",
            name=path.name,
            tile=tile,
            reduction=reduction,
            threads=threads,
            progress=progress,
        )
        if finish is not None:
            finish(file)


def format_of_name(path: Path) -> SlideFormat:
    """Return the format of a slide that is written under this name."""
    return "ome-zarr" if path.suffix.lower() == ZARR else "ome-tiff"


def check_output_size(slide: Slide, path: Path) -> None:
    """Raise `InputError` for a slide larger than any scanner makes; its pixels are not read."""
    item_bytes = np.dtype(slide.info.dtype).itemsize * len(slide.info.channels)
    width, height = slide.frame.width, slide.frame.height
    check_pixel_bytes(
        width * height * item_bytes,
        path,
        got=f"{width} x {height} pixels",
        remedy="choose a coarser pixel size",
    )


def choose_codec(
    info: SlideInfo,
    file_format: SlideFormat = "ome-tiff",
    compression: Compression | None = None,
    quality: int = 85,
) -> Codec | ChunkCodec:
    """Return how a slide's tiles are encoded; see `write_slide`.

    Raises `InputError` for pixels that cannot be written so.
    """
    if file_format == "ome-zarr":
        return ChunkCodec(compression or "zstd", np.dtype(info.dtype))
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
    if (file_format == "ome-zarr") != (path.suffix.lower() == ZARR):
        raise InputError(
            "an OME-Zarr, and nothing else, ends in .zarr", where=path, got=f"format {file_format}"
        )
    if path.suffix.lower() in OTHER_PICTURES:
        raise InputError(
            f"{path.suffix} is not written", where=path, expected=".ome.tiff, .tiff or .zarr"
        )
    if path.is_dir() and not (file_format == "ome-zarr" and is_zarr_folder(path)):
        raise InputError("is a folder", where=path, expected="the name of a new slide")
    if path.exists() and not overwrite:
        raise InputError(
            "exists already", where=path, remedy="choose another name or allow overwriting"
        )
