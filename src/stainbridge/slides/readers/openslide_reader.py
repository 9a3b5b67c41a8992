"""Read vendors' formats through OpenSlide: SVS, NDPI, MRXS, SCN, DICOM WSI, VMS, BIF, CZI, ..."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openslide
from PIL.ImageCms import PyCMSError

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.slides.readers.alpha import blend_over_colour
from stainbridge.slides.readers.channels import RGB
from stainbridge.slides.readers.file_slide import FileSlide
from stainbridge.slides.readers.icc import keep_rgb_profile
from stainbridge.slides.readers.levels import place_levels
from stainbridge.slides.readers.pixel_size import (
    Claim,
    PixelSize,
    choose_pixel_size,
    claim_from_objective,
)
from stainbridge.slides.readers.resample import Interleaved
from stainbridge.slides.slide import SlideInfo

#: Decoded tiles that OpenSlide keeps of one slide, in bytes.
CACHE_BYTES = 64 * 2**20
WHITE = (255, 255, 255)


class OpenSlideSlide(FileSlide):
    """A slide that OpenSlide reads; always 8-bit RGB. See `open_vendor`."""

    def __init__(
        self,
        info: SlideInfo,
        frames: tuple[Frame, ...],
        stain: str | None,
        source: openslide.OpenSlide,
    ) -> None:
        super().__init__(info, frames, stain)
        self._source = source
        self._background = _background_colour(source)

    def _region(self, level: int, x: int, y: int, width: int, height: int) -> Interleaved:
        factor = self._source.level_downsamples[level]
        try:
            region = self._source.read_region(
                (round(x * factor), round(y * factor)), level, (width, height)
            )
        except openslide.OpenSlideError as error:
            where = (
                f"{self.info.path}, level {level}, {width} x {height} pixels at column {x}, row {y}"
            )
            raise InputError("a tile cannot be decoded", where=where, got=error) from error
        return blend_over_colour(np.asarray(region), self._background)

    def _release(self) -> None:
        self._source.close()


def detect_vendor(path: Path) -> str | None:
    """Return OpenSlide's name for the file's format, such as "aperio" or "generic-tiff".

    None when it knows none.
    """
    name = openslide.OpenSlide.detect_format(str(path))
    return None if name is None else str(name)


def open_vendor(
    path: Path, *, mpp: float | None = None, stain: str | None = None
) -> OpenSlideSlide:
    """Open a file of a format for which `detect_vendor` has a name.

    Raises `InputError` with OpenSlide's reason when it cannot.
    """
    vendor = detect_vendor(path) or "vendor's"
    try:
        source = openslide.OpenSlide(str(path))
        source.set_cache(openslide.OpenSlideCache(CACHE_BYTES))
        sizes = tuple((int(width), int(height)) for width, height in source.level_dimensions)
        properties = dict(source.properties)
        profile = _read_profile(source)
    except openslide.OpenSlideError as error:
        raise InputError(f"not a readable {vendor} slide", where=path, got=error) from error
    pixel = _pixel_size(properties, sizes[0], mpp)
    bounds = tuple(int(properties.get(f"openslide.bounds-{axis}", 0)) for axis in "xy")
    info = SlideInfo(
        str(path),
        "openslide",
        path.suffix.lstrip(".").upper() or vendor,
        properties.get(openslide.PROPERTY_NAME_VENDOR, vendor),
        np.dtype(np.uint8),
        RGB,
        (bounds[0], bounds[1]),
        pixel.warnings,
        profile,
    )
    frame = Space(path.name, sizes[0][1], sizes[0][0], pixel.mpp, calibrated=pixel.calibrated).frame
    slide = OpenSlideSlide(info, place_levels(frame, sizes), stain, source)
    return slide.remember_opener(open_vendor, path, mpp=mpp, stain=stain)


def _read_profile(source: openslide.OpenSlide) -> bytes | None:
    """Return the slide's ICC profile; None where it has none, or one that is damaged."""
    try:
        profile = source.color_profile
    except PyCMSError:
        return None
    return None if profile is None else keep_rgb_profile(bytes(profile.tobytes()))


def _pixel_size(properties: dict[str, str], size: tuple[int, int], mpp: float | None) -> PixelSize:
    """Return the pixel size of `openslide.mpp-*`, else the usual one of the objective."""
    x, y = (_number(properties.get(f"openslide.mpp-{axis}")) for axis in "xy")
    if x is not None and y is not None:
        return choose_pixel_size(Claim((x, y), "openslide.mpp"), size, mpp)
    power = _number(properties.get(openslide.PROPERTY_NAME_OBJECTIVE_POWER))
    return choose_pixel_size(None if power is None else claim_from_objective(power), size, mpp)


def _number(text: str | None) -> float | None:
    """Return a property's number, None when it is absent or not a number."""
    try:
        return None if text is None else float(text.replace(",", "."))
    except ValueError:
        return None


def _background_colour(source: openslide.OpenSlide) -> tuple[int, int, int]:
    """Return the colour (r, g, b) that the scanner gives where it did not scan."""
    text = source.properties.get(openslide.PROPERTY_NAME_BACKGROUND_COLOR)
    if text is None:
        return WHITE
    return int(text[0:2], 16), int(text[2:4], 16), int(text[4:6], 16)
