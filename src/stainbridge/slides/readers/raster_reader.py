"""Read PNG, JPEG, JPEG 2000, BMP and WebP: decoded once, when first read, and halved in memory."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from PIL import (
    BmpImagePlugin,
    Image,
    ImageFile,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from stainbridge.causes import describe_cause
from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.slides.readers.alpha import blend_over_white, hide_transparent
from stainbridge.slides.readers.bmp_alpha import read_reserved_alpha
from stainbridge.slides.readers.channels import RGB, number_channels
from stainbridge.slides.readers.file_slide import FileSlide
from stainbridge.slides.readers.icc import keep_rgb_profile
from stainbridge.slides.readers.jpeg_2000 import read_depth
from stainbridge.slides.readers.jpeg_check import find_jpeg_damage, find_lost_data
from stainbridge.slides.readers.levels import list_pyramid_sizes, place_levels
from stainbridge.slides.readers.magic import detect_raster_format
from stainbridge.slides.readers.memory_pyramid import MemoryPyramid
from stainbridge.slides.readers.palette import colours_labels, read_palette
from stainbridge.slides.readers.pixel_size import (
    UM_PER_INCH,
    Claim,
    choose_pixel_size,
    claim_from_resolution,
)
from stainbridge.slides.readers.resample import Interleaved
from stainbridge.slides.slide import SlideInfo

#: Pictures of more decoded bytes than this are refused; those belong in a tiled format.
LARGEST_BYTES = 4 * 2**30
#: From this many pixels on, low resolutions of a JPEG are decoded small, not made from all of it.
DRAFT_PIXELS = 16_000_000
#: A JPEG's decoder halves up to three times.
DRAFT_LEVELS = 3

# Plugins are used directly: Image.open warns of large pictures by a global limit that is not ours.
PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "JPEG 2000": Jpeg2KImagePlugin.Jpeg2KImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
}
#: Pillow's modes of pictures without colour.
GREY_MODES = ("1", "L", "LA")
#: The EXIF tag that says how a camera was held.
EXIF_ORIENTATION = 0x0112


class RasterSlide(FileSlide):
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


def open_raster(
    path: Path, *, mpp: float | None = None, stain: str | None = None, mask: bool = False
) -> RasterSlide:
    """Open a PNG, JPEG, JPEG 2000, BMP or WebP; only its header is read until pixels are read.

    Alpha is shown over white, palettes are expanded, CMYK becomes RGB; 16-bit PNG and JPEG 2000
    keep their bits. An EXIF orientation is not applied, since coordinates are those of the stored
    pixels; a warning says so. With `mask` transparent pixels are 0, colours are not blended, and of
    a palette with colours the numbers are read, which are labels.

    Raises `InputError` for a damaged header or a picture larger than 4 GiB decoded, and on reading
    for damaged or missing data.
    """
    picture = RasterFile(path, mask)
    with picture.header() as header:
        size = header.size
        claim = _read_claim(header)
        doubts = _orientation_doubt(header)
        dtype, channels = picture.pixel_type(header)
        profile = keep_rgb_profile(header.info.get("icc_profile")) if channels == 3 else None
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
    info = SlideInfo(
        str(path),
        "pillow",
        picture.format,
        None,
        dtype,
        named,
        warnings=warnings,
        icc_profile=profile,
    )
    frame = Space(path.name, size[1], size[0], pixel.mpp, calibrated=pixel.calibrated).frame
    drafts = DRAFT_LEVELS if picture.format == "JPEG" and size[0] * size[1] >= DRAFT_PIXELS else 0
    levels = place_levels(frame, list_pyramid_sizes(*size))
    slide = RasterSlide(info, levels, stain, MemoryPyramid(picture.decode, drafts))
    return slide.remember_opener(open_raster, path, mpp=mpp, stain=stain, mask=mask)


class RasterFile:
    """A picture file: its header, and its pixels."""

    def __init__(self, path: Path, mask: bool) -> None:
        self.path = path
        self._is_mask = mask
        self._show_alpha = hide_transparent if mask else blend_over_white
        with path.open("rb") as file:
            magic = file.read(32)
        self.format = detect_raster_format(magic) or ""
        # a PNG's header is at a fixed place: bit depth, then colour type, 0 and 4 for grey
        self._is_deep = self.format == "PNG" and magic[24:25] == b"\x10"
        self._is_deep_grey = magic[25:26] in (b"\x00", b"\x04")
        if self.format == "JPEG 2000":
            bits, samples = read_depth(path)
            self._is_deep = bits > 8
            self._is_deep_grey = samples < 3

    def header(self) -> ImageFile.ImageFile:
        """Open the file with Pillow, without its pixels.

        Raises `InputError` for a damaged header.
        """
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
            raise self._damage_error(error) from error

    def pixel_type(self, header: ImageFile.ImageFile) -> tuple[np.dtype[Any], int]:
        """Return the sample type and number of channels that `decode` gives."""
        if self._is_deep:
            return np.dtype(np.uint16), 1 if self._is_deep_grey else 3
        is_single = header.mode in GREY_MODES or self._holds_labels(header)
        return np.dtype(np.uint8), 1 if is_single else 3

    def decode(self, level: int) -> Interleaved:
        """Return (H, W, C), 2^`level` times smaller.

        Only a JPEG can be decoded smaller; that is a fraction of the work.
        """
        if self._is_deep:
            return self._decode_deep()
        with self.header() as picture:
            holds_labels = self._holds_labels(picture)
            try:
                if level:
                    picture.draft(None, (picture.width >> level, picture.height >> level))
                picture.load()
                self._check_complete(picture, level)
            except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
                raise self._damage_error(error) from error
            if holds_labels:
                return np.asarray(picture)[..., None]
            alpha = read_reserved_alpha(self.path) if self.format == "BMP" else None
            if alpha is not None:
                picture.putalpha(Image.fromarray(alpha))
            return _to_pixels(picture, self._show_alpha)

    def _holds_labels(self, header: ImageFile.ImageFile) -> bool:
        """Return whether this is a mask of numbers that a palette shows in colours."""
        colours = read_palette(header) if self._is_mask else None
        return colours is not None and colours_labels(colours)

    def _check_complete(self, picture: ImageFile.ImageFile, level: int) -> None:
        """Raise `OSError` for a JPEG whose end or middle is missing; Pillow shows it grey."""
        if self.format != "JPEG" or level:
            return

        def decode(data: bytes) -> Interleaved:
            return np.atleast_3d(np.asarray(JpegImagePlugin.JpegImageFile(BytesIO(data))))

        pixels = np.atleast_3d(np.asarray(picture))
        data = self.path.read_bytes()
        damage = find_jpeg_damage(data, pixels, decode) or find_lost_data(data, pixels, decode)
        if damage is not None:
            raise OSError(damage)

    def _decode_deep(self) -> Interleaved:
        """Return (H, W, C) of 9 to 16 bits a sample, which Pillow does not keep."""
        is_png = self.format == "PNG"
        decode = imagecodecs.png_decode if is_png else imagecodecs.jpeg2k_decode
        try:
            pixels = decode(self.path.read_bytes())
        except (imagecodecs.PngError, imagecodecs.Jpeg2kError, ValueError, RuntimeError) as error:
            raise self._damage_error(error) from error
        pixels = np.atleast_3d(pixels).astype(np.uint16)
        return self._show_alpha(pixels) if pixels.shape[2] in (2, 4) else pixels

    def _damage_error(self, error: Exception) -> InputError:
        got = describe_cause(error)
        return InputError(f"the {self.format} is damaged or truncated", where=self.path, got=got)


def _to_pixels(
    picture: Image.Image, show_alpha: Callable[[Interleaved], Interleaved]
) -> Interleaved:
    """Return (H, W, C) of a loaded picture."""
    if picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info:
        grey = picture.mode in GREY_MODES
        picture = picture.convert("RGBA")
        rgb = show_alpha(np.asarray(picture))
        return rgb[..., :1] if grey else rgb
    if picture.mode != "RGB":
        picture = picture.convert("L" if picture.mode in GREY_MODES else "RGB")
    return np.atleast_3d(np.asarray(picture))


def _read_claim(header: ImageFile.ImageFile) -> Claim | None:
    x, y = (float(value) for value in header.info.get("dpi", (0, 0)))
    return claim_from_resolution(x, y, UM_PER_INCH, f"{header.format} resolution")


def _orientation_doubt(header: ImageFile.ImageFile) -> tuple[str, ...]:
    if "exif" not in header.info or header.getexif().get(EXIF_ORIENTATION, 1) == 1:
        return ()
    return ("an EXIF orientation is not applied: coordinates are those of the stored pixels",)
