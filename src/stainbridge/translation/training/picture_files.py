"""Read files of pictures as grey or RGB: opaque alpha is dropped, palettes and CMYK become RGB."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import PIL.Image

from stainbridge.errors import InputError, MissingFileError
from stainbridge.slides.readers.jpeg_check import is_damaged_jpeg
from stainbridge.types import Pixels

#: Pillow's modes of 8-bit pictures that become grey.
GREY_MODES = ("1", "L", "LA")
#: Pillow's modes of 8-bit pictures that become RGB.
COLOUR_MODES = ("RGB", "RGBA", "P", "PA", "CMYK")
ALPHA_MODES = ("LA", "RGBA", "PA")
OPAQUE = 255
JPEG_ENDINGS = (".jpg", ".jpeg")


def read_picture(path: Path) -> Pixels:
    """Read the pixels of a file, (1 or 3, H, W) as stored.

    Raises `InputError` when it cannot be read, is neither grey nor colour, or is transparent.
    """
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if stored is None:
        kind = InputError if path.exists() else MissingFileError
        raise kind("cannot be read as a picture", where=path)
    if path.suffix.lower() in JPEG_ENDINGS and is_damaged_jpeg(path.read_bytes()):
        raise InputError("the JPEG is damaged or truncated", where=path, got="data is missing")
    if stored.ndim == 2:
        return np.asarray(stored[None])
    if stored.shape[2] == 4 and stored.dtype == np.uint8:
        return _read_by_mode(path)
    if stored.shape[2] != 3:
        raise InputError("wrong channels", where=path, expected="grey or RGB", got=stored.shape[2])
    return np.ascontiguousarray(np.moveaxis(stored[..., ::-1], -1, 0))


def read_size(path: Path) -> tuple[int, int]:
    """Read width and height from the header; where there is alpha, look whether it is opaque.

    Raises `InputError` as `read_picture` does.
    """
    try:
        with PIL.Image.open(path) as picture:
            _check_mode(picture, path)
            return picture.size
    except OSError as error:
        kind = MissingFileError if isinstance(error, FileNotFoundError) else InputError
        raise kind("cannot be read as a picture", where=path) from error


def _read_by_mode(path: Path) -> Pixels:
    """Read a picture of four stored channels: alpha, or cyan, magenta, yellow and black."""
    try:
        with PIL.Image.open(path) as picture:
            _check_mode(picture, path)
            mode = "L" if picture.mode in GREY_MODES else "RGB"
            pixels = np.asarray(picture.convert(mode))
    except OSError as error:
        raise InputError("cannot be read as a picture", where=path, got=error) from error
    return np.ascontiguousarray(np.moveaxis(np.atleast_3d(pixels), -1, 0))


def _check_mode(picture: PIL.Image.Image, path: Path) -> None:
    """Raise `InputError` for more than 8 bits, unknown channels and transparent pixels."""
    if picture.mode not in (*GREY_MODES, *COLOUR_MODES):
        got = "".join(picture.getbands())
        raise InputError("wrong channels", where=path, expected="8-bit grey or RGB", got=got)
    if picture.mode not in ALPHA_MODES and "transparency" not in picture.info:
        return
    alpha = picture.convert("RGBA").getchannel("A")
    if alpha.getextrema() != (OPAQUE, OPAQUE):
        raise InputError(
            "a tile with transparent pixels",
            where=path,
            expected="grey or RGB, or opaque pixels",
            got=picture.mode,
            remedy="fill the transparent pixels with the colour of the glass",
        )
