"""A slide whose every read goes through a function."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import cached_property

import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.imaging.image import Image
from stainbridge.slides.closing import ClosedByWith
from stainbridge.slides.describe import Described
from stainbridge.slides.readers.channels import RGB, number_channels
from stainbridge.slides.slide import Slide, SlideInfo

#: Longest side, in pixels, of the read that shows which channels come out.
PROBE_PX = 64


class MappedSlide(ClosedByWith, Described):
    """`slide` as `image_map` shows it: each read returns the map of what the slide returns.

    The map takes an `Image` at any resolution and returns one on the same frame. A coarse read maps
    a coarse read, so an overview does not cost a whole slide. Closing it closes `slide`. It pickles
    where the slide and the map do.
    """

    def __init__(self, slide: Slide, image_map: Callable[[Image], Image]) -> None:
        self._slide = slide
        self._map = image_map

    def __copy__(self) -> MappedSlide:
        """Return the same slide opened once more: closing one leaves the other open."""
        return MappedSlide(copy(self._slide), self._map)

    @cached_property
    def info(self) -> SlideInfo:
        """The slide's, with the channels and the number type that come out of the map."""
        pixels = self.read(self.frame.fit(PROBE_PX)).pixels
        count = len(pixels)
        channels = RGB if count == 3 and pixels.dtype == np.uint8 else number_channels(count)
        own = self._slide.info
        return replace(
            own,
            reader=f"mapped {own.reader}",
            dtype=pixels.dtype,
            channels=channels,
            icc_profile=None,
        )

    @property
    def frame(self) -> Frame:
        """The slide's full-resolution frame."""
        return self._slide.frame

    @property
    def levels(self) -> tuple[Frame, ...]:
        """The slide's stored resolutions."""
        return self._slide.levels

    @property
    def stain(self) -> str | None:
        """The slide's stain."""
        return self._slide.stain

    def read(self, frame: Frame) -> Image:
        """Return the map of what the slide shows on `frame`."""
        return self._map(self._slide.read(frame))

    def close(self) -> None:
        """Close the slide."""
        self._slide.close()
