"""Read TIFF through tifffile: plain, tiled, OME-TIFF, ImageJ, QPTIFF, generic pyramids."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.slides.readers.channels import RGB, find_rgb_places, recognise_rgb, sort_rgb
from stainbridge.slides.readers.file_bytes import FileBytes
from stainbridge.slides.readers.file_slide import FileSlide
from stainbridge.slides.readers.icc import keep_rgb_profile
from stainbridge.slides.readers.levels import place_levels
from stainbridge.slides.readers.mosaic import StoredLevel
from stainbridge.slides.readers.ome_companion import open_tiff_file
from stainbridge.slides.readers.pixel_size import choose_pixel_size
from stainbridge.slides.readers.resample import Interleaved
from stainbridge.slides.readers.sampled_places import is_bright_field, shows_same_picture
from stainbridge.slides.readers.tiff_guard import check_directories
from stainbridge.slides.readers.tiff_layout import PlaneRef, TiffLayout, find_layout
from stainbridge.slides.readers.tiff_levels import make_level
from stainbridge.slides.readers.tiff_metadata import (
    describe_channels,
    find_ome_image,
    find_pixel_size_claim,
    name_format_and_vendor,
)
from stainbridge.slides.readers.tile_cache import TileCache
from stainbridge.slides.slide import SlideInfo

#: The tag of the ICC profile.
ICC_PROFILE = 34675
#: The tag of how viewers turn and mirror a picture.
ORIENTATION = 274
#: Decoded tiles that are kept of one slide, in bytes.
CACHE_BYTES = 64 * 2**20


@dataclass
class _OpenFiles:
    """The files behind a TIFF's pages: one, or several for a multi-file OME-TIFF."""

    files: dict[str, FileBytes] = field(default_factory=dict)

    def get(self, page: Any) -> FileBytes:
        """Return the open file that a page is in."""
        path = str(page.parent.filehandle.path)
        if path not in self.files:
            self.files[path] = FileBytes(Path(path))
        return self.files[path]

    def close(self) -> None:
        for file in self.files.values():
            file.close()


class TiffSlide(FileSlide):
    """A slide in a TIFF. See `open_tiff`."""

    def __init__(
        self,
        info: SlideInfo,
        frames: tuple[Frame, ...],
        stain: str | None,
        stored: tuple[StoredLevel, ...],
        files: _OpenFiles,
        cache: TileCache,
        rgb_places: tuple[int, ...] | None,
    ) -> None:
        super().__init__(info, frames, stain)
        self._stored = stored
        self._rgb_places = rgb_places
        self._files = files
        self._cache = cache

    def _region(self, level: int, x: int, y: int, width: int, height: int) -> Interleaved:
        return sort_rgb(self._stored[level].region(x, y, width, height), self._rgb_places)

    def _release(self) -> None:
        self._files.close()
        self._cache.clear()


def open_tiff(
    path: Path,
    *,
    mpp: float | None = None,
    stain: str | None = None,
    sparse: bool = True,
    mask: bool = False,
) -> TiffSlide:
    """Open a TIFF: the largest image in it, its levels in SubIFDs or in further pages.

    Channels are the samples and channels of the largest image. Of a z-stack the middle plane is
    read, of a time series the first. Alpha is shown over white, palettes are expanded, inverted
    greys (WhiteIsZero) are turned round. Tiles left out of the file are background. With `mask`
    transparent pixels are 0, and of a palette with colours the numbers are read.

    Raises `InputError` for a file that is damaged, truncated or of a kind that is not read, and,
    where `sparse` is False, for one with tiles left out.
    """
    files = _OpenFiles()
    try:
        with _collect_complaints() as complaints:
            check_directories(path)
            tif, missing = open_tiff_file(path)
            complaints.extend(missing)
            with tif:
                slide = _make_slide(tif, path, files, complaints, mpp, stain, sparse, mask)
        options = {"mpp": mpp, "stain": stain, "sparse": sparse, "mask": mask}
        return slide.remember_opener(open_tiff, path, **options)
    except InputError:
        files.close()
        raise
    # damaged files make tifffile raise nearly anything
    except Exception as error:
        files.close()
        raise InputError("not a readable TIFF", where=path, got=error) from error


def _make_slide(
    tif: tifffile.TiffFile,
    path: Path,
    files: _OpenFiles,
    complaints: list[str],
    mpp: float | None,
    stain: str | None,
    sparse: bool,
    mask: bool,
) -> TiffSlide:
    layout = find_layout(tif)
    cache = TileCache(CACHE_BYTES)
    levels, others = _choose_levels(layout, files)
    made = [
        make_level(pages, level, files.get, cache, mask=mask) for level, pages in enumerate(levels)
    ]
    planes = [plane for level in levels for plane in level]
    if not sparse and any(0 in plane.page.databytecounts for plane in planes):
        raise InputError("tiles are missing", where=path)
    stored = tuple(level for level, _ in made)
    rule = made[0][1]
    page = levels[0][0].page.keyframe
    pixel = choose_pixel_size(find_pixel_size_claim(tif, page), stored[0].size, mpp)
    named = describe_channels(tif, levels[0], rule.channels * len(levels[0]), rule.is_colour)
    channels, guesses = recognise_rgb(
        named,
        np.dtype(rule.dtype),
        lambda: is_bright_field(stored[-1]),
    )
    ome = find_ome_image(tif, page)
    name, vendor = name_format_and_vendor(tif)
    doubts = (
        *layout.warnings,
        *others,
        *_doubt_orientation(page),
        *rule.warnings,
        *guesses,
        *(ome.warnings if ome else ()),
    )
    warnings = (*doubts, *pixel.warnings, *_fold_complaints(complaints))
    profile = keep_rgb_profile(page.tags.valueof(ICC_PROFILE)) if channels == RGB else None
    info = SlideInfo(
        str(path),
        "tifffile",
        name,
        vendor,
        np.dtype(rule.dtype),
        channels,
        warnings=warnings,
        icc_profile=profile,
    )
    width, height = stored[0].size
    frame = Space(path.name, height, width, pixel.mpp, calibrated=pixel.calibrated).frame
    frames = place_levels(frame, [level.size for level in stored])
    places = find_rgb_places(named) if channels == RGB else None
    return TiffSlide(info, frames, stain, stored, files, cache, places)


def _doubt_orientation(page: tifffile.TiffPage) -> tuple[str, ...]:
    """Return a warning for a page that viewers turn or mirror before they show it."""
    if page.tags.valueof(ORIENTATION, default=1) in (0, 1):
        return ()
    return ("an orientation is not applied: coordinates are those of the stored pixels",)


def _choose_levels(
    layout: TiffLayout, files: _OpenFiles
) -> tuple[tuple[tuple[PlaneRef, ...], ...], tuple[str, ...]]:
    """Return the levels, finest first, and a line for each page that is another picture."""
    if not layout.further:
        return layout.levels, ()
    cache = TileCache(CACHE_BYTES)
    finer = make_level(layout.levels[0], 0, files.get, cache)[0]
    levels = list(layout.levels)
    others = []
    for number, plane in enumerate(layout.further, 1):
        level = make_level((plane,), number, files.get, cache)[0]
        if _is_reduced(finer, level):
            levels.append((plane,))
            finer = level
        else:
            width, height = level.size
            others.append(f"a page of {width} x {height} pixels is another picture: not read")
    levels.sort(key=lambda level: -int(level[0].page.keyframe.imagewidth))
    return tuple(levels), tuple(others)


def _is_reduced(finer: StoredLevel, level: StoredLevel) -> bool:
    try:
        return shows_same_picture(finer, level)
    except InputError:  # not readable, so nobody can say what it shows
        return False


def _clean_complaint(message: str) -> str:
    """Return a message of tifffile without its objects' and errors' names."""
    without_errors = re.sub(r"raised \w+\(['\"](.*)['\"]\)", r"\1", message)
    without_objects = re.sub(r"<tifffile\.(\w+) (\S+) [^>]*>", r"\2", without_errors)
    return " ".join(re.sub(r"^<[^>]*> ", "", without_objects).split())


def _fold_complaints(complaints: list[str]) -> tuple[str, ...]:
    """Return what tifffile complains of as one line at most."""
    different = list(dict.fromkeys(complaints))
    if not different:
        return ()
    more = f", and {len(different) - 1} more" if len(different) > 1 else ""
    return (f"tifffile: {different[0]}{more}",)


@contextmanager
def _collect_complaints() -> Iterator[list[str]]:
    """Collect what tifffile logs meanwhile, one line each, instead of on standard error."""
    lines: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(_clean_complaint(record.getMessage()))

    handler = Collect(logging.WARNING)
    logger = logging.getLogger("tifffile")
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
