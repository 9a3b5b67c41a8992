"""Slides that are computed as they are read: what they share."""

from __future__ import annotations

from abc import abstractmethod

from stainbridge.geometry.frame import Frame
from stainbridge.imaging.image import Image
from stainbridge.phantom.space.pickling import PickledByFields
from stainbridge.slides.closing import ClosedByWith
from stainbridge.slides.describe import Described


class GeneratedSlide(PickledByFields, ClosedByWith, Described):
    """A `Slide` without a file, made of its fields; a copy in another process is equal."""

    @abstractmethod
    def read(self, frame: Frame) -> Image:
        """Return the slide sampled on `frame`."""

    def close(self) -> None:
        """Do nothing: there is no file to release."""


def build_levels(frame: Frame) -> tuple[Frame, ...]:
    """Return the full resolution and its halves down to about 512 pixels."""
    levels = [frame]
    while max(levels[-1].width, levels[-1].height) > 1024:
        factor = 2 ** len(levels)
        levels.append(frame.at_mpp((frame.mpp[0] * factor, frame.mpp[1] * factor)))
    return tuple(levels)
