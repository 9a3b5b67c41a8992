"""The Slide protocol: a picture too large to hold in memory, read by physical frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame
from stainbridge.imaging.image import Image


@dataclass(frozen=True)
class Channel:
    """One channel of a slide."""

    name: str
    """What it shows, such as "DAPI"."""
    colour: tuple[int, int, int] | None = None
    """Display colour of fluorescence, (r, g, b) in 0..255."""


@dataclass(frozen=True)
class SlideInfo:
    """What is known of a slide beside its pixels."""

    path: str
    """Its file, or the name of an array."""
    reader: str
    """What reads it, such as "openslide"."""
    format: str
    """The file format, such as "SVS"."""
    vendor: str | None
    """The scanner's maker, where known."""
    dtype: npt.DTypeLike
    """Type of its pixels."""
    channels: tuple[Channel, ...]
    """Its channels, in the order of `Image.pixels`."""
    bounds_px: tuple[int, int] = (0, 0)
    """Offset (x, y) that QuPath subtracts, in full-resolution pixels: `bounds-x` of OpenSlide."""
    warnings: tuple[str, ...] = ()
    """Doubts about the file, one line each, such as an implausible pixel size."""
    icc_profile: bytes | None = field(default=None, repr=False)
    """The ICC profile of RGB pixels; it is not applied, and written with them."""

    @property
    def is_rgb(self) -> bool:
        """Whether the channels are one 8-bit RGB picture."""
        return (
            tuple(c.name for c in self.channels) == ("R", "G", "B")
            and np.dtype(self.dtype) == np.uint8
        )


@runtime_checkable
class Slide(Protocol):
    """A pyramid that is read lazily.

    Reads are thread-safe. A slide is a context manager that closes its file. It pickles by what
    made it: the copy reads equal pixels in an equal space.

    Example:
        >>> slide = stainbridge.generate_pair(seed=3, size_px=256, mpp=4.0).fixed
        >>> slide
        <PhantomSlide 'phantom 3 HE': 256 x 256 px, 4 µm/px, HE, RGB, phantom>
        >>> isinstance(slide, stainbridge.Slide)
        True
        >>> slide.frame.mpp, slide.stain
        ((4.0, 4.0), 'HE')
        >>> slide.read(slide.frame.at_mpp(16.0)).pixels.shape
        (3, 64, 64)

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
        """Return the slide sampled on `frame`, any part of its space at any pixel size.

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


def read_shared(slide: Slide, frame: Frame) -> Image:
    """Read like `slide.read`, for who does not write into the pixels.

    Pixels of one colour may take no memory (`geometry.flat.make_flat`), where the slide has a
    method of this name.
    """
    read: Callable[[Frame], Image] = getattr(slide, "read_shared", slide.read)
    return read(frame)
