"""A warped slide is a slide: the moving slide seen in the fixed slide's space."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import cv2
import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.flat import flatten_one_colour, is_flat, make_writable
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.piecewise import Piecewise
from stainbridge.geometry.scratch import Scratch
from stainbridge.geometry.transform import Transform
from stainbridge.geometry.warp import (
    Box,
    Interleaved,
    Interpolation,
    Source,
    check_interpolation,
    warp,
)
from stainbridge.imaging.image import Image
from stainbridge.slides.closing import ClosedByWith
from stainbridge.slides.describe import Described
from stainbridge.slides.slide import Slide, SlideInfo, read_shared
from stainbridge.types import Mask

#: Labels are sampled at full resolution where output pixels are at most this many times larger.
LARGEST_LABEL_STEP = 8.0


class WarpedSlide(ClosedByWith, Described):
    """The moving slide, pulled through a transform onto a frame of the fixed slide's space.

    Pixels are computed as they are read. Reads are thread-safe and hold a bounded amount of the
    source. Reads of parts equal the parts of a whole read. Closing it closes `slide`.

    Args:
        slide: The moving slide.
        transform: Moving from fixed.
        frame: Which part, in the fixed slide's space; None: the whole fixed slide. For other crops
            see `Registration.warp_slide`; the same transform and annotations hold in them.
        interpolation: "linear", "cubic", or "nearest" for label images.

    Raises:
        InputError: The transform maps the whole frame to nothing finite, or there is no such
            interpolation.

    Example:
        >>> pair = stainbridge.generate_pair(seed=3, size_px=256, mpp=4.0)
        >>> warped = stainbridge.WarpedSlide(pair.moving, pair.truth)
        >>> warped.frame == pair.fixed.frame
        True
        >>> warped.read(warped.frame.crop(100, 100, 64, 32)).pixels.shape
        (3, 32, 64)

    """

    def __init__(
        self,
        slide: Slide,
        transform: Transform,
        frame: Frame | None = None,
        *,
        interpolation: Interpolation = "linear",
    ) -> None:
        check_interpolation(interpolation)
        self._slide = slide
        self._transform = transform
        self._interpolation: Interpolation = interpolation
        self._frame = frame or transform.source.frame
        self._scale = estimate_scale(transform, self._frame)
        self._scratch = Scratch()

    def __copy__(self) -> WarpedSlide:
        """Return the same slide opened once more: closing one leaves the other open."""
        made_by = (copy(self._slide), self._transform, self._frame)
        return WarpedSlide(*made_by, interpolation=self._interpolation)

    def __reduce__(self) -> tuple[Any, ...]:
        made_by = (self._slide, self._transform, self._frame)
        return partial(WarpedSlide, interpolation=self._interpolation), made_by

    @property
    def info(self) -> SlideInfo:
        """The moving slide's info; the reader is named as warped."""
        return replace(
            self._slide.info, reader=f"warped {self._slide.info.reader}", bounds_px=(0, 0)
        )

    @property
    def frame(self) -> Frame:
        """Where the output's full-resolution pixels are, in the fixed slide's space."""
        return self._frame

    @cached_property
    def levels(self) -> tuple[Frame, ...]:
        """The output frame, and coarser ones near the moving slide's stored levels."""
        level_mpps = (level.mpp[0] / self._scale for level in self._slide.levels)
        coarser = (self._frame.at_mpp(mpp) for mpp in level_mpps if mpp > 1.5 * self._frame.mpp[0])
        return (self._frame, *(level for level in coarser if min(level.width, level.height) > 1))

    @property
    def stain(self) -> str | None:
        """The moving slide's stain."""
        return self._slide.stain

    def read(self, frame: Frame) -> Image:
        """Return the slide sampled on `frame`, in the fixed slide's space at any pixel size."""
        image = self.read_shared(frame)
        pixels = make_writable(np.moveaxis(image.pixels, 0, -1))
        return replace(image, pixels=np.moveaxis(pixels, -1, 0))

    def read_shared(self, frame: Frame) -> Image:
        """Read like `read`; pixels of one colour are as `make_flat` makes them."""
        grid = self.choose_source_grid(frame.mpp)

        def region(box: Box) -> tuple[Interleaved, Mask | None]:
            return self._region(grid.crop(box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0))

        info = self._slide.info
        extent_um = self._slide.frame.size_um
        background = 255 if info.is_rgb else 0
        source = Source(
            grid, region, extent_um, len(info.channels), background, info.dtype, self._scratch
        )
        pixels, valid = warp(source, self._transform, frame, self._interpolation)
        return Image(np.moveaxis(pixels, -1, 0), frame, valid, self.stain)

    def _region(self, frame: Frame) -> tuple[Interleaved, Mask | None]:
        """Return source pixels (H, W, C), and where they are valid, None for everywhere.

        Pixels of one colour are told by their strides. RGB is padded to four channels, which OpenCV
        samples faster.
        """
        image = read_shared(self._slide, frame)
        pixels = flatten_one_colour(np.moveaxis(image.pixels, 0, -1))
        if self._slide.info.is_rgb and not is_flat(pixels):
            padded = self._scratch.array("source", (frame.height, frame.width, 4), np.uint8)
            pixels = np.asarray(
                cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2RGBA, dst=padded)
            )
        return pixels, None if image.valid.all() else image.valid

    def choose_source_grid(self, mpp: tuple[float, float]) -> Frame:
        """Return the grid of the moving slide to sample for output pixels of `mpp`.

        It is at most twice as fine: a stored level where one fits, else the next finer stored level
        reduced by a power of two, which the slide averages as it reads. Labels are taken from full
        resolution, since stored levels may hold averages; far coarser overviews of them from the
        stored level.
        """
        wanted_mpp = float(np.sqrt(mpp[0] * mpp[1])) * self._scale
        levels = self._slide.levels
        is_label = self._interpolation == "nearest"
        if is_label and wanted_mpp <= LARGEST_LABEL_STEP * _mean_mpp(levels[0]):
            return levels[0]
        fine_enough = [level for level in levels if _mean_mpp(level) <= wanted_mpp * 1.01]
        level = max(fine_enough, key=_mean_mpp, default=levels[0])
        reduction = 2 ** max(0, int(np.floor(np.log2(wanted_mpp * 1.01 / _mean_mpp(level)))))
        if reduction == 1 or is_label:
            return level
        return level.at_mpp((level.mpp[0] * reduction, level.mpp[1] * reduction))

    def close(self) -> None:
        """Release the moving slide's file."""
        self._slide.close()


def estimate_scale(transform: Transform, frame: Frame) -> float:
    """Return µm out per µm in: the median over `frame` of the root of the area factor.

    It is one number for the whole frame, so that every read uses the same level, however the frame
    is tiled. Of pieces of tissue the first, the largest, counts: glass between them is drawn
    together. Raises `InputError` when it is not a positive finite number.
    """
    if isinstance(transform, Piecewise):
        return estimate_scale(transform.pieces[0].transform, frame)
    grid = frame.fit(16)
    centres = grid.centres_um()
    step_um = 0.25 * np.array(grid.mpp)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        along_x = transform(centres + (step_um[0], 0)) - transform(centres - (step_um[0], 0))
        along_y = transform(centres + (0, step_um[1])) - transform(centres - (0, step_um[1]))
        crossed = np.abs(along_x[:, 0] * along_y[:, 1] - along_x[:, 1] * along_y[:, 0])
        areas = crossed / (4 * step_um.prod())
        finite = areas[np.isfinite(areas)]
        scale = float(np.sqrt(np.median(finite))) if len(finite) else 0.0
    if not scale > 0:
        raise InputError(
            "the transform maps the output frame to nothing",
            where=frame.label,
            expected="an area",
            got=scale,
        )
    return scale


def _mean_mpp(frame: Frame) -> float:
    return float(np.sqrt(frame.mpp[0] * frame.mpp[1]))
