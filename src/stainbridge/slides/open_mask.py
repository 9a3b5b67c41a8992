"""Open a mask: what is transparent in it is outside."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stainbridge.errors import InputError
from stainbridge.imaging.image import Image
from stainbridge.slides.mapped import MappedSlide
from stainbridge.slides.open import open_slide, read_header
from stainbridge.slides.readers.magic import is_raster, is_tiff
from stainbridge.slides.slide import Slide

#: Channels of a Zarr picture with alpha.
RGBA_CHANNELS = 4


def open_mask(path: Path) -> Slide:
    """Open a picture whose values are a mask or labels; transparent pixels are 0.

    Of a palette with colours the numbers are read: they are the labels.

    Raises `InputError` as `open_slide` does.
    """
    header = b"" if path.is_dir() else read_header(path)
    if is_raster(header):
        from stainbridge.slides.readers.raster_reader import open_raster

        return open_raster(path, mask=True)
    if is_tiff(header):
        from stainbridge.slides.readers.tiff_reader import open_tiff

        try:
            return open_tiff(path, mask=True)
        except InputError:  # a vendor's flavour, which has no transparency
            return open_slide(path)
    slide = open_slide(path)
    has_alpha = len(slide.info.channels) == RGBA_CHANNELS and slide.info.dtype == np.uint8
    return MappedSlide(slide, _hide_transparent) if has_alpha else slide


def _hide_transparent(image: Image) -> Image:
    """Return the first three channels, 0 where the fourth is."""
    pixels = image.pixels[:3] * (image.pixels[3:] > 0)
    return Image(pixels, image.frame, image.valid, image.stain)
