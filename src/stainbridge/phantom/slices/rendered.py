"""Slices drawn into memory, and as cases to train on and to register."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.phantom.glass.scanned_slide import MAX_FLUORESCENCE
from stainbridge.phantom.glass.slide import PhantomSlide
from stainbridge.phantom.slices.config import SliceStackConfig
from stainbridge.phantom.slices.slice_pair import SlicePair, generate_slice
from stainbridge.phantom.tissue.classes import Labels
from stainbridge.progress import Progress, ignore_progress
from stainbridge.slides.case import Case
from stainbridge.slides.memory import ArraySlide


@dataclass(frozen=True, eq=False)
class RenderedSlice:
    """One side of a slice in memory."""

    picture: npt.NDArray[np.uint8]
    """RGB, (3, H, W); of a fluorescent stain one channel a dye."""
    labels: Labels
    """Tissue classes as in `classes.CLASS_NAMES`, (H, W); 0 is glass."""
    mpp: float
    """Pixel size in µm."""
    stain: str
    """The name of the stain."""

    @property
    def mask(self) -> npt.NDArray[np.uint8]:
        """The tissue, (H, W): 255, elsewhere 0."""
        return np.where(self.labels > 0, 255, 0).astype(np.uint8)


def render_slice(slide: PhantomSlide) -> RenderedSlice:
    """Draw one side of a slice at full resolution."""
    pixels = slide.read(slide.frame).pixels
    if slide.section.stain.fluorescent:
        pixels = np.rint(pixels * (255 / MAX_FLUORESCENCE))
    labels = slide.classes.read(slide.frame).pixels[0]
    picture = np.ascontiguousarray(pixels, np.uint8)
    return RenderedSlice(picture, labels, slide.frame.mpp[0], slide.section.stain.name)


def render_sides(pair: SlicePair) -> tuple[RenderedSlice, RenderedSlice]:
    """Draw the fixed and the moving slice at once on two cores."""
    with ThreadPoolExecutor(2) as pool:
        fixed, moving = pool.map(render_slice, (pair.fixed, pair.moving))
    return fixed, moving


@dataclass(frozen=True, eq=False)
class OpenArray:
    """Opens an array as a slide; it pickles with the array."""

    pixels: npt.NDArray[Any]
    """(C, H, W)."""
    mpp: float
    """Pixel size in µm."""
    name: str
    """A name for messages."""
    stain: str | None = None
    """The name of the stain."""

    def __call__(self) -> ArraySlide:
        """Open the slide."""
        return ArraySlide(self.pixels, self.mpp, self.name, self.stain)


def generate_slices(
    config: SliceStackConfig, count: int, seed: int = 0, progress: Progress = ignore_progress
) -> list[Case]:
    """Generate a stack of slices in memory, in their order.

    The cases have landmarks, masks and labels (numbers of `classes.CLASS_NAMES`).

    Raises `InputError` for less than one slice.
    """
    if count < 1:
        raise InputError("a stack needs slices", expected="at least 1", got=count)
    cases = []
    for number in range(count):
        progress("slices", number / count)
        cases.append(render_case(generate_slice(config, number, seed)))
    return cases


def render_case(pair: SlicePair) -> Case:
    """Draw both sides of a slice and return them as a case in memory."""
    fixed, moving = render_sides(pair)
    landmarks = (pair.fixed_landmarks.points_px, pair.moving_landmarks.points_px)
    return Case(
        pair.name,
        _open_picture(fixed, f"{pair.name} fixed"),
        _open_picture(moving, f"{pair.name} moving"),
        landmarks,
        OpenArray(fixed.mask[None], fixed.mpp, f"{pair.name} fixed mask"),
        OpenArray(moving.mask[None], moving.mpp, f"{pair.name} moving mask"),
        open_fixed_labels=OpenArray(fixed.labels[None], fixed.mpp, f"{pair.name} fixed labels"),
        open_moving_labels=OpenArray(moving.labels[None], moving.mpp, f"{pair.name} moving labels"),
    )


def _open_picture(side: RenderedSlice, name: str) -> OpenArray:
    return OpenArray(side.picture, side.mpp, name, side.stain)
