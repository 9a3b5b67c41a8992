"""Read any frame from stored levels: the part that all readers share."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import replace
from typing import Any, final

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.flat import make_writable
from stainbridge.geometry.frame import Frame
from stainbridge.imaging.image import Image
from stainbridge.slides.closing import ClosedByWith
from stainbridge.slides.describe import Described
from stainbridge.slides.readers.levels import choose_level
from stainbridge.slides.readers.resample import (
    Interleaved,
    Sampling,
    choose_reduction,
    reduce_blocks,
    resample,
)
from stainbridge.slides.slide import SlideInfo
from stainbridge.types import Mask, Pixels

#: A read whose result would be larger than this many bytes is refused.
MAX_READ_BYTES = 4 * 2**30
#: Bytes of a level that are held at once while it is reduced; larger blocks were slower, because
#: they touch more memory.
BLOCK_BYTES = 8 * 2**20
#: Positions closer than this many pixels to whole pixels are whole pixels.
EXACT_PX = 1e-3


class PyramidSlide(ClosedByWith, Described):
    """A slide of stored levels; a reader implements `_region` and `_release`.

    `levels` are finest first and share the origin (0, 0). `read` is thread-safe when `_region` is.
    """

    def __init__(self, info: SlideInfo, levels: tuple[Frame, ...], stain: str | None) -> None:
        self._info = info
        self._levels = levels
        self._stain = stain
        self._closed = False

    @abstractmethod
    def _region(self, level: int, x: int, y: int, width: int, height: int) -> Interleaved:
        """Return the stored pixels (height, width, C) of a box that lies inside `level`.

        Raises `InputError` when they cannot be read.
        """

    @abstractmethod
    def _release(self) -> None:
        """Release files and memory; called once."""

    @property
    def info(self) -> SlideInfo:
        """Format, channels, vendor, warnings."""
        return self._info

    @property
    def frame(self) -> Frame:
        """The full-resolution frame; its origin is (0, 0) µm."""
        return self._levels[0]

    @property
    def levels(self) -> tuple[Frame, ...]:
        """The stored resolutions, finest first; `levels[0] == frame`."""
        return self._levels

    @property
    def stain(self) -> str | None:
        """The stain's name where it is known."""
        return self._stain

    @property
    def background(self) -> int:
        """The value of pixels outside the slide."""
        return 255 if self._info.is_rgb else 0

    @final
    def read(self, frame: Frame) -> Image:
        """Return the slide sampled on `frame`, any part of its space at any pixel size.

        The coarsest level that is fine enough is read. A frame that lies on its pixels gets them as
        stored. Any other frame is resampled with anti-aliasing at its exact position. Pixels whose
        centre lies outside the slide are background and not valid. `pixels` may be a view in any
        memory order.

        Raises `InputError` for an unreadable tile, a closed slide, or a frame too large to hold.
        """
        image = self.read_shared(frame)
        pixels = make_writable(np.moveaxis(image.pixels, 0, -1))
        return replace(image, pixels=np.moveaxis(pixels, -1, 0))

    @final
    def read_shared(self, frame: Frame) -> Image:
        """Read like `read`; pixels of one colour are as `make_flat` makes them."""
        self._require_open()
        self._check_size(frame)
        size = (frame.height, frame.width)
        columns = _inside(frame, self.frame, 0)
        rows = _inside(frame, self.frame, 1)
        whole = (rows.stop - rows.start, columns.stop - columns.start) == size
        pixels: Pixels | None = None
        if len(rows) and len(columns):
            inner = frame.crop(columns.start, rows.start, len(columns), len(rows))
            pixels = self._sample(inner)
        if whole and pixels is not None:
            return Image(pixels, frame, np.ones(size, bool), self._stain)
        out = np.full((len(self._info.channels), *size), self.background, self._info.dtype)
        valid: Mask = np.zeros(size, bool)
        if pixels is not None:
            place = (slice(rows.start, rows.stop), slice(columns.start, columns.stop))
            out[:, place[0], place[1]] = pixels
            valid[place] = True
        return Image(out, frame, valid, self._stain)

    def close(self) -> None:
        """Release the file."""
        if not self._closed:
            self._closed = True
            self._release()

    def _require_open(self) -> None:
        if self._closed:
            raise InputError("the slide is closed", where=self._info.path)

    def _check_size(self, frame: Frame) -> None:
        size = frame.height * frame.width * self._pixel_bytes
        if size > MAX_READ_BYTES:
            raise InputError(
                "a read too large to hold",
                where=self._info.path,
                expected=f"at most {MAX_READ_BYTES / 2**30:.0f} GiB",
                got=f"{frame.width} x {frame.height} pixels, {size / 2**30:.1f} GiB",
                remedy="read it in parts or at a coarser pixel size",
            )

    @property
    def _pixel_bytes(self) -> int:
        return len(self._info.channels) * np.dtype(self._info.dtype).itemsize

    def _sample(self, frame: Frame) -> Pixels:
        """Return (C, H, W) of a frame whose pixel centres all lie inside the slide."""
        index = choose_level(self._levels, frame.mpp)
        level = self._levels[index]
        x = _sample_centres(frame, level, 0)
        y = _sample_centres(frame, level, 1)
        x0 = _first_whole_pixel(x)
        y0 = _first_whole_pixel(y)
        if (
            x0 is not None
            and y0 is not None
            and x0 + x.count <= level.width
            and y0 + y.count <= level.height
        ):
            return np.moveaxis(self._region(index, x0, y0, x.count, y.count), -1, 0)
        return self._resample_in_blocks(index, x, y)

    def _resample_in_blocks(self, index: int, x: Sampling, y: Sampling) -> Pixels:
        out = np.empty((len(self._info.channels), y.count, x.count), self._info.dtype)
        side = max(256.0, math.sqrt(BLOCK_BYTES / self._pixel_bytes))
        block_height = max(1, int(side / max(y.step, 1.0)))
        block_width = max(1, int(side / max(x.step, 1.0)))
        for top in range(0, y.count, block_height):
            for left in range(0, x.count, block_width):
                bottom = min(top + block_height, y.count)
                right = min(left + block_width, x.count)
                out[:, top:bottom, left:right] = self._resample_block(
                    index, x.part(left, right), y.part(top, bottom)
                )
        return out

    def _resample_block(self, index: int, x: Sampling, y: Sampling) -> Pixels:
        level = self._levels[index]
        factor_x = choose_reduction(x.step)
        factor_y = choose_reduction(y.step)
        left, right = _widen_to_blocks(x.span(level.width), factor_x, level.width)
        top, bottom = _widen_to_blocks(y.span(level.height), factor_y, level.height)
        source = self._region(index, left, top, right - left, bottom - top)
        small = reduce_blocks(source, (factor_x, factor_y))
        return resample(small, x.coarsen(factor_x, left), y.coarsen(factor_y, top))


def _inside(frame: Frame, slide: Frame, axis: int) -> range:
    """Return the columns (axis 0) or rows (axis 1) of `frame` with centres inside `slide`."""
    count = (frame.width, frame.height)[axis]
    centres = frame.origin_um[axis] + (np.arange(count) + 0.5) * frame.mpp[axis]
    slack = EXACT_PX * slide.mpp[axis]
    inside: npt.NDArray[Any] = np.flatnonzero(
        (centres >= -slack) & (centres < slide.size_um[axis] - slack)
    )
    return range(int(inside[0]), int(inside[-1]) + 1) if len(inside) else range(0)


def _sample_centres(frame: Frame, level: Frame, axis: int) -> Sampling:
    """Return the pixel centres of `frame` as samples on the pixels of `level`."""
    step = frame.mpp[axis] / level.mpp[axis]
    return Sampling(
        frame.origin_um[axis] / level.mpp[axis] + 0.5 * step,
        step,
        (frame.width, frame.height)[axis],
    )


def _first_whole_pixel(axis: Sampling) -> int | None:
    """Return the pixel whose centre is the first sample, None where samples are not pixels.

    They are when every sample is the centre of a pixel and the pixels are consecutive.
    """
    first = axis.start - 0.5
    exact = abs(first - round(first)) < EXACT_PX and abs(axis.step - 1) * axis.count < EXACT_PX
    return round(first) if exact and round(first) >= 0 else None


def _widen_to_blocks(span: tuple[int, int], factor: int, length: int) -> tuple[int, int]:
    """Return `span` widened to whole blocks of `factor` pixels, cut at the end of the level."""
    return span[0] // factor * factor, min(-(-span[1] // factor) * factor, length)
