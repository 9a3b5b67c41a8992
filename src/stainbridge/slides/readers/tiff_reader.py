"""TIFF of all kinds through tifffile and imagecodecs: plain, tiled, OME-TIFF, ImageJ, QPTIFF,
generic pyramids.
"""

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
from stainbridge.slides.readers.file_bytes import FileBytes
from stainbridge.slides.readers.levels import place_levels
from stainbridge.slides.readers.mosaic import StoredLevel
from stainbridge.slides.readers.pixel_size import choose_pixel_size
from stainbridge.slides.readers.pyramid_slide import PyramidSlide
from stainbridge.slides.readers.resample import Interleaved
from stainbridge.slides.readers.tiff_layout import find_layout
from stainbridge.slides.readers.tiff_levels import make_level
from stainbridge.slides.readers.tiff_metadata import (
    describe_channels,
    find_pixel_size_claim,
    name_format_and_vendor,
)
from stainbridge.slides.readers.tile_cache import TileCache
from stainbridge.slides.slide import SlideInfo

CACHE_BYTES = 64 * 2**20


@dataclass
class _OpenFiles:
    """The files behind a TIFF's pages: one, or several for a multi-file OME-TIFF."""

    files: dict[str, FileBytes] = field(default_factory=dict)

    def of(self, page: Any) -> FileBytes:
        path = str(page.parent.filehandle.path)
        if path not in self.files:
            self.files[path] = FileBytes(Path(path))
        return self.files[path]

    def close(self) -> None:
        for file in self.files.values():
            file.close()


class TiffSlide(PyramidSlide):
    """A slide in a TIFF. See `open_tiff`."""

    def __init__(
        self,
        info: SlideInfo,
        frames: tuple[Frame, ...],
        stain: str | None,
        stored: tuple[StoredLevel, ...],
        files: _OpenFiles,
        cache: TileCache,
    ) -> None:
        super().__init__(info, frames, stain)
        self._stored, self._files, self._cache = stored, files, cache

    def _region(self, level: int, x: int, y: int, width: int, height: int) -> Interleaved:
        return self._stored[level].region(x, y, width, height)

    def _release(self) -> None:
        self._files.close()
        self._cache.clear()


def open_tiff(
    path: Path, *, mpp: float | None = None, stain: str | None = None, sparse: bool = True
) -> TiffSlide:
    """Open a TIFF: the largest image in it, its levels in SubIFDs or in further pages.

    Channels: the samples and channels of the largest image; of a z-stack the middle plane, of a
    time series the first. Alpha is shown over white, palettes are expanded, inverted greys
    (WhiteIsZero) turned. Tiles left out of the file are background, unless `sparse` is False.
    Raises `InputError` for a file that is damaged, truncated, lacks tiles it should not lack or is
    of a kind that is not read.
    """
    files = _OpenFiles()
    try:
        with _complaints() as complaints, tifffile.TiffFile(path) as tif:
            return _slide(tif, path, files, complaints, mpp, stain, sparse)
    except InputError:
        files.close()
        raise
    # damaged files make tifffile raise nearly anything: ValueError, KeyError, IndexError,
    # struct.error, its own
    except Exception as error:
        files.close()
        raise InputError(
            "not a readable TIFF", where=path, got=str(error) or type(error).__name__
        ) from error


def _slide(
    tif: tifffile.TiffFile,
    path: Path,
    files: _OpenFiles,
    complaints: list[str],
    mpp: float | None,
    stain: str | None,
    sparse: bool,
) -> TiffSlide:
    layout = find_layout(tif)
    cache = TileCache(CACHE_BYTES)
    read = [make_level(pages, level, files.of, cache) for level, pages in enumerate(layout.levels)]
    if not sparse and not all(
        0 not in of.page.databytecounts for pages in layout.levels for of in pages
    ):
        raise InputError("tiles are missing", where=path)
    stored, rule = tuple(level for level, _ in read), read[0][1]
    page = layout.levels[0][0].page.keyframe
    pixel = choose_pixel_size(find_pixel_size_claim(tif, page), stored[0].size, mpp)
    channels = describe_channels(
        tif, layout.levels[0], rule.channels * len(layout.levels[0]), rule.is_colour
    )
    name, vendor = name_format_and_vendor(tif)
    doubts = (*layout.warnings, *pixel.warnings, *complaints)
    info = SlideInfo(
        str(path), "tifffile", name, vendor, np.dtype(rule.dtype), channels, warnings=doubts
    )
    width, height = stored[0].size
    frame = Space(path.name, height, width, pixel.mpp, calibrated=pixel.calibrated).frame
    return TiffSlide(
        info, place_levels(frame, [level.size for level in stored]), stain, stored, files, cache
    )


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What tifffile logs meanwhile, one line each, instead of on standard error."""
    lines: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(
                "tifffile: " + " ".join(re.sub(r"^<[^>]*> ", "", record.getMessage()).split())
            )

    handler = Collect(logging.WARNING)
    logger = logging.getLogger("tifffile")
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
