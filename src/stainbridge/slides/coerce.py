"""Accept a path, a slide or a numpy array where a slide is expected."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.open import open_slide
from stainbridge.slides.readers.alpha import blend_over_white
from stainbridge.slides.slide import Slide
from stainbridge.types import Pixels

#: Most channels that an array may have along its last axis: RGB and alpha.
MOST_LAST_CHANNELS = 4


def as_slide(
    source: str | PathLike[str] | Slide | npt.NDArray[Any],
    mpp: float | None = None,
    *,
    name: str = "array",
) -> Slide:
    """Return `source` as a slide: a path is opened, an array wrapped, a slide returned as it is.

    An array is

    - (H, W): one channel;
    - (H, W, C) with C of 1 to 4: uint8 of three channels is RGB, of four RGB with alpha, which is
      shown over white;
    - (C, H, W) with no more channels than rows or columns: uint8 of three channels is RGB.

    Args:
        source: A path, a slide or an array.
        mpp: µm per full-resolution pixel: of an array, or of a path in place of the file's.
        name: What messages call the source.

    Returns:
        The slide. The caller closes what was opened, which is every slide but `source` itself.

    Raises:
        InputError: Anything else, an array that may be read both ways, floats that look like a
            colour picture, `mpp` with a slide.

    Example:
        >>> picture = np.zeros((600, 800, 3), np.uint8)
        >>> stainbridge.as_slide(picture, mpp=0.5)
        <ArraySlide 'array': 800 x 600 px, 0.5 µm/px, RGB, array>

    """
    if isinstance(source, np.ndarray):
        return ArraySlide(channels_first(source, name), mpp, name)
    if isinstance(source, str | PathLike):
        return open_slide(Path(source), mpp=mpp)
    if not isinstance(source, Slide):
        raise InputError(
            "not a slide",
            where=name,
            expected="a path, a slide or a numpy array",
            got=type(source).__name__,
        )
    if mpp is not None:
        raise InputError(
            "mpp is for paths and arrays; a slide has its own",
            where=source.info.path,
            expected="mpp=None",
            got=mpp,
        )
    return source


def channels_first(array: npt.NDArray[Any], name: str = "array") -> Pixels:
    """Return an array of one of the shapes of `as_slide` as (C, H, W); raise as that does."""
    if array.ndim == 2 and array.size:
        return array[None]
    if array.ndim != 3 or not array.size:
        raise _refuse("not a picture", array, name)
    may_be_last = array.shape[2] <= MOST_LAST_CHANNELS
    may_be_first = array.shape[0] <= min(array.shape[1:])
    if may_be_last and may_be_first:
        raise _refuse("channels may be the first axis or the last", array, name)
    if may_be_last:
        return _from_channels_last(array, name)
    if may_be_first:
        return array
    raise _refuse("not a picture", array, name)


def _from_channels_last(array: npt.NDArray[Any], name: str) -> Pixels:
    if array.shape[2] >= 3 and array.dtype.kind == "f":
        raise InputError(
            "a colour picture is of 8 bits",
            where=name,
            expected="uint8, or (C, H, W) for channels that are not colours",
            got=f"{array.dtype} of shape {array.shape}",
            remedy="if it is RGB from 0 to 1, pass (255 * array).round().astype('uint8')",
        )
    is_rgba = array.shape[2] == 4 and array.dtype == np.uint8
    return np.moveaxis(blend_over_white(array) if is_rgba else array, -1, 0)


def _refuse(what: str, array: npt.NDArray[Any], name: str) -> InputError:
    return InputError(
        what,
        where=name,
        expected="(H, W), (H, W, C) with C of at most 4, or (C, H, W)",
        got=f"shape {array.shape}",
        remedy="ArraySlide takes (C, H, W) without guessing",
    )
