"""PNG, JPEG, BMP and WebP: decoded once, when first read, with a pyramid halved in memory."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from PIL import BmpImagePlugin, Image, ImageFile, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.slides.readers.alpha import blend_over_white
from stainbridge.slides.readers.channels import RGB, number_channels
from stainbridge.slides.readers.levels import list_pyramid_sizes, place_levels
from stainbridge.slides.readers.memory_pyramid import MemoryPyramid
from stainbridge.slides.readers.pixel_size import (
    UM_PER_INCH,
    Claim,
    choose_pixel_size,
    claim_from_resolution,
)
from stainbridge.slides.readers.pyramid_slide import PyramidSlide
from stainbridge.slides.readers.resample import Interleaved
from stainbridge.slides.slide import SlideInfo

#: Decoded pictures larger than this are refused; tiled formats are for those.
LARGEST_BYTES = 4 * 2**30
#: From this size on, low resolutions of a JPEG are decoded small instead of being made from all of
#: it.
DRAFT_PIXELS = 16_000_000
DRAFT_LEVELS = 3

# the plugins are used directly, since Image.open warns of and refuses pictures by a global limit
# that is not ours
PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
}
GREY_MODES = ("1", "L", "LA")
EXIF_ORIENTATION = 0x0112


def detect_raster_format(magic: bytes) -> str | None:
    """One of "PNG", "JPEG", "BMP" and "WebP" by the first bytes of a file, else None."""
    if magic.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if magic.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if magic.startswith(b"RIFF") and magic[8:12] == b"WEBP":
        return "WebP"
    # a bitmap's reserved words are zero: "BM" alone is too common
    return "BMP" if magic.startswith(b"BM") and magic[6:10] == bytes(4) else None


def is_raster(magic: bytes) -> bool:
    """Whether the first bytes are those of a format read here."""
    return detect_raster_format(magic) is not None


class RasterSlide(PyramidSlide):
    """A slide in an ordinary picture file. See `open_raster`."""

    def __init__(
        self, info: SlideInfo, frames: tuple[Frame, ...], stain: str | None, pyramid: MemoryPyramid
    ) -> None:
        super().__init__(info, frames, stain)
        self._pyramid = pyramid

    def _region(self, level: int, x: int, y: int, width: int, height: int) -> Interleaved:
        return self._pyramid.region(level, x, y, width, height)

    def _release(self) -> None:
        self._pyramid.clear()


def open_raster(path: Path, *, mpp: float | None = None, stain: str | None = None) -> RasterSlide:
    """Open a PNG, JPEG, BMP or WebP; only its header is read until pixels are wanted.

    Alpha is shown over white, palettes are expanded, 16-bit PNG keeps its 16 bits, CMYK becomes
    RGB; an EXIF orientation is not applied (coordinates are those of the stored pixels) but warned
    of. Raises `InputError` for a damaged header or a picture larger than 4 GiB decoded, and on
    reading for damaged or missing data.
    """
    picture = RasterFile(path)
    with picture.header() as header:
        size = header.size
        claim, doubts = _claim(header), _orientation_doubt(header)
        dtype, channels = picture.pixel_type(header)
    decoded = size[0] * size[1] * channels * dtype.itemsize
    if decoded > LARGEST_BYTES:
        raise InputError(
            "the picture is too large to hold",
            where=path,
            expected=f"at most {LARGEST_BYTES / 2**30:.0f} GiB decoded",
            got=f"{size[0]} x {size[1]} pixels, {decoded / 2**30:.1f} GiB",
            remedy="convert it to a tiled TIFF",
        )
    pixel = choose_pixel_size(claim, size, mpp)
    named = RGB if channels == 3 else number_channels(channels)
    warnings = (*doubts, *pixel.warnings)
    info = SlideInfo(str(path), "pillow", picture.format, None, dtype, named, warnings=warnings)
    frame = Space(path.name, size[1], size[0], pixel.mpp, calibrated=pixel.calibrated).frame
    drafts = DRAFT_LEVELS if picture.format == "JPEG" and size[0] * size[1] >= DRAFT_PIXELS else 0
    levels = place_levels(frame, list_pyramid_sizes(*size))
    return RasterSlide(info, levels, stain, MemoryPyramid(picture.decode, drafts))


class RasterFile:
    """A picture file: its header, and its pixels."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            magic = file.read(32)
        self.format = detect_raster_format(magic) or ""
        # a PNG's header is at a fixed place: bit depth, then colour type (0 and 4 are grey)
        self._is_16_bit_png = self.format == "PNG" and magic[24:25] == b"\x10"
        self._is_grey_png = magic[25:26] in (b"\x00", b"\x04")

    def header(self) -> ImageFile.ImageFile:
        """The file opened by Pillow, pixels not read. Raises `InputError` for a damaged header."""
        try:
            return PLUGINS[self.format](str(self.path))
        except (
            OSError,
            SyntaxError,
            ValueError,
            EOFError,
            struct.error,
            Image.DecompressionBombError,
        ) as error:
            raise self._damaged(error) from error

    def pixel_type(self, header: ImageFile.ImageFile) -> tuple[np.dtype[Any], int]:
        """Sample type and number of channels that `decode` gives."""
        if self._is_16_bit_png:
            return np.dtype(np.uint16), 1 if self._is_grey_png else 3
        return np.dtype(np.uint8), 1 if header.mode in GREY_MODES else 3

    def decode(self, level: int) -> Interleaved:
        """(H, W, C), 2^`level` times smaller (a JPEG only: its decoder then does a fraction of the
        work).
        """
        if self._is_16_bit_png:
            return self._decode_16_bit_png()
        with self.header() as picture:
            try:
                if level:
                    picture.draft(None, (picture.width >> level, picture.height >> level))
                picture.load()
            except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
                raise self._damaged(error) from error
            return _pixels(picture)

    def _decode_16_bit_png(self) -> Interleaved:
        try:
            pixels = imagecodecs.png_decode(self.path.read_bytes())
        except (imagecodecs.PngError, ValueError, RuntimeError) as error:
            raise self._damaged(error) from error
        pixels = np.atleast_3d(pixels)
        return blend_over_white(pixels) if pixels.shape[2] in (2, 4) else pixels

    def _damaged(self, error: Exception) -> InputError:
        got = str(error) or type(error).__name__
        return InputError(f"the {self.format} is damaged or truncated", where=self.path, got=got)


def _pixels(picture: Image.Image) -> Interleaved:
    """(H, W, C) of a loaded picture."""
    if picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info:
        grey = picture.mode in GREY_MODES
        picture = picture.convert("RGBA")
        rgb = blend_over_white(np.asarray(picture))
        return rgb[..., :1] if grey else rgb
    if picture.mode != "RGB":
        picture = picture.convert("L" if picture.mode in GREY_MODES else "RGB")
    return np.atleast_3d(np.asarray(picture))


def _claim(header: ImageFile.ImageFile) -> Claim | None:
    x, y = (float(value) for value in header.info.get("dpi", (0, 0)))
    return claim_from_resolution(x, y, UM_PER_INCH, f"{header.format} resolution")


def _orientation_doubt(header: ImageFile.ImageFile) -> tuple[str, ...]:
    if "exif" not in header.info or header.getexif().get(EXIF_ORIENTATION, 1) == 1:
        return ()
    return ("an EXIF orientation is not applied: coordinates are those of the stored pixels",)
