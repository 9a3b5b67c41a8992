"""A picture in memory as a slide."""

from __future__ import annotations

from typing import Any

import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Space
from stainbridge.slides.readers.channels import RGB, number_channels
from stainbridge.slides.readers.levels import list_pyramid_sizes, place_levels
from stainbridge.slides.readers.memory_pyramid import MemoryPyramid
from stainbridge.slides.readers.pyramid_slide import PyramidSlide
from stainbridge.slides.readers.resample import Interleaved
from stainbridge.slides.slide import Channel, SlideInfo
from stainbridge.types import Pixels


class ArraySlide(PyramidSlide):
    """An array (C, H, W) as a slide; coarser levels are halved when they are first read.

    The array is not copied: don't change it while the slide is in use. `as_slide` also takes other
    shapes.

    Args:
        pixels: (C, H, W), integers or floats.
        mpp: µm per pixel; None where it is not known.
        name: A name for messages.
        stain: A free name such as "HE".
        channels: One description a channel; None: three channels of uint8 are RGB.
        space: The plane of another slide that the pixels are a copy of; it has its pixel size.

    Raises:
        InputError: Another shape or type.

    Example:
        >>> slide = stainbridge.ArraySlide(np.zeros((3, 400, 600), np.uint8), mpp=0.5, stain="HE")
        >>> slide.frame.size_um
        (300.0, 200.0)

    """

    def __init__(
        self,
        pixels: Pixels,
        mpp: float | None = None,
        name: str = "array",
        stain: str | None = None,
        channels: tuple[Channel, ...] | None = None,
        space: Space | None = None,
    ) -> None:
        if pixels.ndim != 3 or 0 in pixels.shape:
            raise InputError("pixels must be (C, H, W)", where=name, got=pixels.shape)
        if pixels.dtype.kind not in "iuf":
            raise InputError(
                "pixels must be numbers",
                where=name,
                expected="integers or floats",
                got=pixels.dtype,
            )
        count, height, width = pixels.shape
        if channels is None:
            channels = RGB if count == 3 and pixels.dtype == np.uint8 else number_channels(count)
        if len(channels) != count:
            raise InputError(
                "one description per channel", where=name, expected=count, got=len(channels)
            )
        info = SlideInfo(name, "array", "array", None, pixels.dtype, channels)
        if space is None:
            size_um = (1.0, 1.0) if mpp is None else (float(mpp), float(mpp))
            space = Space(name, height, width, size_um, calibrated=mpp is not None)
        super().__init__(info, place_levels(space.frame, list_pyramid_sizes(width, height)), stain)
        self._pixels = pixels
        self._pyramid = MemoryPyramid(lambda _level: np.moveaxis(pixels, 0, -1))

    def __reduce__(self) -> tuple[Any, ...]:
        self._require_open()
        named = (self.info.path, self.stain, self.info.channels, self.frame.space)
        return ArraySlide, (self._pixels, None, *named)

    def _region(self, level: int, x: int, y: int, width: int, height: int) -> Interleaved:
        return self._pyramid.region(level, x, y, width, height)

    def _release(self) -> None:
        self._pyramid.clear()
