"""The Slide contract: a picture too large to hold, read lazily by physical frame."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame
from stainbridge.imaging.image import Image


@dataclass(frozen=True)
class Channel:
    """One channel: its name and, for fluorescence, its display colour (r, g, b) in 0..255."""

    name: str
    colour: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class SlideInfo:
    """What is known of a slide beside its pixels."""

    path: str
    reader: str
    format: str
    vendor: str | None
    dtype: npt.DTypeLike
    channels: tuple[Channel, ...]
    #: Level-0 pixel offset (x, y) that QuPath subtracts (OpenSlide's `bounds-x`, `bounds-y`); (0,
    #: 0) elsewhere.
    bounds_px: tuple[int, int] = (0, 0)
    #: One line for every doubt about the file (an implausible pixel size, say).
    warnings: tuple[str, ...] = ()

    @property
    def is_rgb(self) -> bool:
        """Whether the channels are one 8-bit RGB picture."""
        return (
            tuple(c.name for c in self.channels) == ("R", "G", "B")
            and np.dtype(self.dtype) == np.uint8
        )


@runtime_checkable
class Slide(Protocol):
    """A lazily read pyramid.

    Reads are thread-safe; a slide is a context manager that closes its file.
    """

    @property
    def info(self) -> SlideInfo:
        """Format, channels, vendor, warnings."""
        ...

    @property
    def frame(self) -> Frame:
        """The full-resolution frame; its origin is (0, 0) µm."""
        ...

    @property
    def levels(self) -> tuple[Frame, ...]:
        """The stored resolutions, finest first; `levels[0] == frame`."""
        ...

    @property
    def stain(self) -> str | None:
        """The stain's name where it is known."""
        ...

    def read(self, frame: Frame) -> Image:
        """The slide sampled on `frame`, any part of its space at any pixel size, from the right
        level.

        Pixels whose centre lies outside the slide are background (white for 8-bit RGB, else 0) and
        not valid.
        """
        ...

    def close(self) -> None:
        """Release the file."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
