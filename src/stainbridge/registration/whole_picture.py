"""Warp a picture of a whole slide, held in memory at any resolution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Transform
from stainbridge.geometry.warp import Interpolation, warp_array
from stainbridge.slides.coerce import channels_first


def warp_picture(
    image: npt.NDArray[Any],
    transform: Transform,
    moving: Frame,
    fixed: Frame,
    *,
    interpolation: Interpolation = "linear",
) -> npt.NDArray[Any]:
    """Warp a picture of the whole slide `moving` onto `fixed`, both full-resolution frames.

    `image` is (H, W), (H, W, C) or (C, H, W); so is what is returned, of the whole fixed slide at
    the same µm per pixel, 0 outside. `transform` takes µm of the fixed slide to µm of the moving
    one. Raises `InputError` for an array that is no picture of the moving slide.
    """
    array = np.asarray(image)
    pixels = channels_first(array, "image")
    height, width = pixels.shape[1:]
    _check_aspect(height, width, moving)
    width_um, height_um = moving.size_um
    grid = Frame(moving.space, height, width, (width_um / width, height_um / height))
    frame = fixed.at_mpp(math.sqrt(grid.mpp[0] * grid.mpp[1]))
    warped, _ = warp_array(_narrow(pixels), grid, transform, frame, interpolation=interpolation)
    warped = warped.astype(array.dtype, copy=False)
    if array.ndim == 2:
        return np.asarray(warped[0])
    return warped if pixels is array else np.moveaxis(warped, 0, -1)


def _check_aspect(height: int, width: int, slide: Frame) -> None:
    """Raise `InputError` for a picture that is not of the whole slide."""
    # A side of a picture at a lower resolution is rounded by up to a pixel.
    if abs(width * slide.height - height * slide.width) > max(slide.height, slide.width):
        raise InputError(
            "the picture does not have the moving slide's shape",
            where="image",
            expected=f"({slide.height}, {slide.width}) or the same at another resolution",
            got=f"({height}, {width})",
        )


def _narrow(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return masks and labels as a type that can be warped, and other pixels as they are."""
    if pixels.dtype == bool:
        return pixels.astype(np.uint8)
    limits = np.iinfo(np.int32)
    is_wide = pixels.dtype.kind in "iu" and pixels.dtype.itemsize > limits.dtype.itemsize
    if is_wide and pixels.size and limits.min <= pixels.min() and pixels.max() <= limits.max:
        return pixels.astype(np.int32)
    return pixels
