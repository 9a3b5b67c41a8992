"""What scanning a glass of generated tissue gives: pixels, levels, classes, whatever lies on it."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.imaging.image import Image
from stainbridge.phantom.glass.artefacts import Artefact, Light
from stainbridge.phantom.glass.class_slide import ClassSlide
from stainbridge.phantom.glass.generated import GeneratedSlide, build_levels
from stainbridge.phantom.glass.jpeg import MARGIN_PX, apply_jpeg
from stainbridge.phantom.glass.mounted_tissue import MountedTissue
from stainbridge.phantom.space.randomness import derive_key
from stainbridge.phantom.staining.laboratory import Laboratory, render_light
from stainbridge.phantom.staining.stain import Stain
from stainbridge.slides.slide import Channel, SlideInfo
from stainbridge.types import Mask

#: Sensor noise repeats after this many pixels; a prime, so that it is out of step with all else.
_GRAIN_PX = 509
#: The brightest value of a 12-bit fluorescence camera.
MAX_FLUORESCENCE = 4095


class ScannedSlide(GeneratedSlide):
    """Tissue on a glass slide, seen by a scanner; a `Slide`.

    Subclasses are frozen dataclasses with these fields, and say what lies on the glass.

    Raises `InputError` when the frame does not start at (0, 0), or for a JPEG quality that does not
    exist.
    """

    if TYPE_CHECKING:  # at run time a property here would keep dataclass fields from its place

        @property
        def frame(self) -> Frame:
            """The full-resolution frame of the slide."""

        @property
        def laboratory(self) -> Laboratory:
            """Who stained and scanned it."""

        @property
        def artefacts(self) -> tuple[Artefact, ...]:
            """What else the scanner sees."""

        @property
        def jpeg_quality(self) -> int | None:
            """What the scanner stored full-resolution pixels with; None: without loss."""

        @property
        def seed(self) -> int:
            """Seed of the sensor noise."""

    @property
    @abstractmethod
    def mounted(self) -> MountedTissue:
        """The tissue as it lies on the glass."""

    @property
    @abstractmethod
    def dyed_with(self) -> Stain:
        """The stain of all tissue on the glass."""

    @property
    @abstractmethod
    def block_seed(self) -> int:
        """Seed of the block of tissue, for names."""

    def __post_init__(self) -> None:
        if self.frame.origin_um != (0.0, 0.0):
            raise InputError(
                "a slide starts at (0, 0)", where=self.frame.label, got=self.frame.origin_um
            )
        if self.jpeg_quality is not None and not 1 <= self.jpeg_quality <= 100:
            raise InputError(
                "JPEG quality out of range", expected="1 to 100", got=self.jpeg_quality
            )

    @property
    def info(self) -> SlideInfo:
        """The channels; the slide comes from no file."""
        stain = self.dyed_with
        name = f"phantom {self.block_seed} {stain.name}"
        if not stain.fluorescent:
            channels = tuple(Channel(c) for c in "RGB")
            return SlideInfo(name, "phantom", "generated", None, np.uint8, channels)
        channels = tuple(Channel(dye.name, dye.display_colour) for dye in stain.dyes)
        return SlideInfo(name, "phantom", "generated", None, np.uint16, channels)

    @property
    def levels(self) -> tuple[Frame, ...]:
        """The full resolution and its halves down to about 512 pixels.

        Every other pixel size is read as well.
        """
        return build_levels(self.frame)

    @property
    def stain(self) -> str:
        """The name of the stain."""
        return self.dyed_with.name

    @property
    def classes(self) -> ClassSlide:
        """The tissue class of each pixel, as a slide."""
        return ClassSlide(self.mounted)

    def read(self, frame: Frame) -> Image:
        """Return the slide sampled on `frame`, (3, H, W).

        Outside the slide it is white (fluorescence: black) and not valid.
        """
        full_resolution = np.allclose(frame.mpp, self.frame.mpp, rtol=1e-6)
        quality = self.jpeg_quality if full_resolution else None
        margin = max((artefact.reach_px(frame) for artefact in self._visible_artefacts), default=0)
        margin = max(margin, MARGIN_PX if quality else 0)
        wide, left, top = _widen_frame(frame, margin, self.frame)
        fluorescent = self.dyed_with.fluorescent
        scan = self._scan_fluorescence(wide) if fluorescent else self._scan_bright(wide, quality)
        pixels = scan[top : top + frame.height, left : left + frame.width]
        valid = _find_inside(self.frame, frame)
        if not valid.all():
            pixels[~valid] = 0 if fluorescent else 255
        return Image(np.moveaxis(pixels, -1, 0), frame, valid, self.stain)

    @property
    def _visible_artefacts(self) -> tuple[Artefact, ...]:
        """The artefacts that this slide's kind of camera sees."""
        if not self.dyed_with.fluorescent:
            return self.artefacts
        return tuple(artefact for artefact in self.artefacts if artefact.in_dark_field)

    def _scan_bright(self, frame: Frame, quality: int | None) -> npt.NDArray[np.uint8]:
        """Return 8-bit RGB, (H, W, 3)."""
        light = self._render_light(frame)
        pixels = np.clip(np.rint(light, out=light), 0, 255, out=light).astype(np.uint8)
        return apply_jpeg(pixels, frame, quality) if quality else pixels

    def _scan_fluorescence(self, frame: Frame) -> npt.NDArray[np.uint16]:
        """Return 12-bit channels of the dyes, (H, W, 3)."""
        light = self._render_light(frame) * np.float32(MAX_FLUORESCENCE / 255)
        return np.clip(np.rint(light, out=light), 0, MAX_FLUORESCENCE, out=light).astype(np.uint16)

    def _render_light(self, frame: Frame) -> Light:
        """Return what the sensor measures, (H, W, 3), with 255 the brightest."""
        light = render_light(self.mounted.draw_dyes(frame), self.dyed_with, self.laboratory)
        for artefact in self._visible_artefacts:
            artefact.apply(light, frame, self.frame)
        light *= 255
        light += self._sample_grain(frame)
        return light

    @cached_property
    def _grain_tile(self) -> npt.NDArray[np.float32]:
        rng = np.random.default_rng(derive_key(self.seed, "grain"))
        shape = (_GRAIN_PX, _GRAIN_PX, 3)
        return np.float32(self.laboratory.noise) * rng.standard_normal(shape, np.float32)

    def _sample_grain(self, frame: Frame) -> npt.NDArray[np.float32]:
        """Return sensor noise, (H, W, 3), fixed to the pixel grid of this pixel size."""
        first = np.rint(np.array(frame.origin_um) / frame.mpp).astype(int)
        rows = (first[1] + np.arange(frame.height)) % _GRAIN_PX
        columns = (first[0] + np.arange(frame.width)) % _GRAIN_PX
        return np.asarray(self._grain_tile[rows][:, columns])


def _widen_frame(frame: Frame, margin: int, slide: Frame) -> tuple[Frame, int, int]:
    """Return `frame` with up to `margin` more pixels on each side, no further than the slide.

    With it come the numbers of pixels added at the left and at the top.
    """
    first = np.rint(np.divide(frame.origin_um, frame.mpp)).astype(int)
    slide_px = np.rint(np.divide(slide.size_um, frame.mpp)).astype(int)
    beyond = slide_px - first - (frame.width, frame.height)
    left, top = np.clip(first, 0, margin).tolist()
    right, bottom = np.clip(beyond, 0, margin).tolist()
    wide = frame.crop(-left, -top, frame.width + left + right, frame.height + top + bottom)
    return wide, left, top


def _find_inside(slide: Frame, frame: Frame) -> Mask:
    """Return which pixel centres of `frame` lie on the slide, (H, W)."""
    x = frame.origin_um[0] + (np.arange(frame.width) + 0.5) * frame.mpp[0]
    y = frame.origin_um[1] + (np.arange(frame.height) + 0.5) * frame.mpp[1]
    width_um, height_um = slide.size_um
    inside_x = (x >= 0) & (x < width_um)
    inside_y = (y >= 0) & (y < height_um)
    return np.asarray(inside_y[:, None] & inside_x[None, :])
