"""A generated section on glass, rendered as it is read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Transform
from stainbridge.imaging.image import Image
from stainbridge.phantom.glass.artefacts import Artefact, Light
from stainbridge.phantom.glass.class_slide import ClassSlide
from stainbridge.phantom.glass.damage import ExtraPiece, Hole
from stainbridge.phantom.glass.generated import GeneratedSlide, build_levels
from stainbridge.phantom.glass.jpeg import MARGIN_PX, apply_jpeg
from stainbridge.phantom.glass.mounted_section import MountedSection
from stainbridge.phantom.space.crop import FloatArray
from stainbridge.phantom.space.deformation import (
    UNDEFORMED,
    DeformationConfig,
    build_tissue_from_slide,
    measure_fold_distance_um,
    measure_tear_distance_um,
    unfold_points,
)
from stainbridge.phantom.space.randomness import derive_key
from stainbridge.phantom.staining.laboratory import REFERENCE, Laboratory, render_light
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.slides.slide import Channel, SlideInfo
from stainbridge.types import Mask, Points

#: Sensor noise repeats after this many pixels; a prime, so that it is out of step with all else.
_GRAIN_PX = 509
#: The brightest value of a 12-bit fluorescence camera.
MAX_FLUORESCENCE = 4095


@dataclass(frozen=True, eq=False, repr=False)
class PhantomSlide(GeneratedSlide):
    """A section on a glass slide, seen by a scanner; a `Slide`.

    Bright field is 8-bit RGB. A fluorescent stain gives one 12-bit channel for each dye.

    Any part can be read at any pixel size, also finer than `frame`. A read of a part equals the
    part of a whole read at the same pixel size and pixel grid. The same fields give the same
    pixels, also in another process. Reads are thread-safe and need about 60 bytes a pixel read plus
    200 MB of cached tiles.

    Raises `InputError` when the frame does not start at (0, 0), or for a JPEG quality that does not
    exist.
    """

    section: StainedSection
    """The section on the slide."""
    frame: Frame
    """The full-resolution frame of the slide."""
    deformation: DeformationConfig = UNDEFORMED
    """How the section lies."""
    laboratory: Laboratory = REFERENCE
    """Who stained and scanned it."""
    artefacts: tuple[Artefact, ...] = ()
    """What else the scanner sees."""
    holes: tuple[Hole, ...] = ()
    """What is missing from the section."""
    pieces: tuple[ExtraPiece, ...] = ()
    """Other tissue on the same glass."""
    jpeg_quality: int | None = None
    """What the scanner stored full-resolution pixels with; None: without loss."""
    seed: int = 0
    """Seed of the elastic deformation and the sensor noise."""

    def __post_init__(self) -> None:
        if self.frame.origin_um != (0.0, 0.0):
            raise InputError(
                "a slide starts at (0, 0)", where=self.frame.label, got=self.frame.origin_um
            )
        if self.jpeg_quality is not None and not 1 <= self.jpeg_quality <= 100:
            raise InputError(
                "JPEG quality out of range", expected="1 to 100", got=self.jpeg_quality
            )

    @cached_property
    def tissue_from_slide(self) -> Transform:
        """The map from slide points to the tissue points seen there, in µm.

        Its inverse is exact beside tears and folds.
        """
        tissue_frame = self._mounted.tissue_frame
        return build_tissue_from_slide(self.deformation, tissue_frame, self.frame, self.seed)

    @cached_property
    def _mounted(self) -> MountedSection:
        return MountedSection(
            self.section, self.frame, self.deformation, self.holes, self.pieces, self.seed
        )

    @property
    def info(self) -> SlideInfo:
        """The channels; the slide comes from no file."""
        stain = self.section.stain
        name = f"phantom {self.section.tissue.seed} {stain.name}"
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
        return self.section.stain.name

    @property
    def classes(self) -> ClassSlide:
        """The tissue class of each pixel, as a slide."""
        return ClassSlide(self._mounted)

    def read(self, frame: Frame) -> Image:
        """Return the slide sampled on `frame`, (3, H, W).

        Outside the slide it is white (fluorescence: black) and not valid.
        """
        full_resolution = np.allclose(frame.mpp, self.frame.mpp, rtol=1e-6)
        quality = self.jpeg_quality if full_resolution else None
        margin = max((artefact.reach_px(frame) for artefact in self._visible_artefacts), default=0)
        margin = max(margin, MARGIN_PX if quality else 0)
        wide, left, top = _widen_frame(frame, margin, self.frame)
        fluorescent = self.section.stain.fluorescent
        scan = self._scan_fluorescence(wide) if fluorescent else self._scan_bright(wide, quality)
        pixels = scan[top : top + frame.height, left : left + frame.width]
        valid = _find_inside(self.frame, frame)
        if not valid.all():
            pixels[~valid] = 0 if fluorescent else 255
        return Image(np.moveaxis(pixels, -1, 0), frame, valid, self.stain)

    @property
    def _visible_artefacts(self) -> tuple[Artefact, ...]:
        """The artefacts that this slide's kind of camera sees."""
        if not self.section.stain.fluorescent:
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
        light = render_light(self._mounted.draw_dyes(frame), self.section.stain, self.laboratory)
        for artefact in self._visible_artefacts:
            artefact.apply(light, frame, self.frame)
        light *= 255
        light += self._sample_grain(frame)
        return light

    def tissue_depth_um(self, points_um: Points) -> FloatArray:
        """Return depths below the tissue's outline, (N,), at slide points (N, 2).

        They are exact to about 1 % of the tissue's size, and negative on glass, also in gaps and
        holes.
        """
        depth = self.section.tissue_depth_um(self.tissue_from_slide(points_um))
        return np.asarray(np.minimum(depth, self.gap_distance_um(points_um)))

    def gap_distance_um(self, points_um: Points) -> FloatArray:
        """Return signed distances, (N,), of slide points (N, 2) to the rims of tears and holes.

        They are negative inside a tear or a hole.
        """
        unfolded = unfold_points(self.deformation, points_um, self.frame)
        distance = measure_tear_distance_um(self.deformation, unfolded)
        for hole in self.holes:
            distance = np.minimum(distance, hole.rim_distance_um(points_um))
        return distance

    def fold_distance_um(self, points_um: Points) -> FloatArray:
        """Return signed distances, (N,), of slide points (N, 2) to the rims of folds.

        They are negative where tissue is doubled up.
        """
        return measure_fold_distance_um(self.deformation, points_um)

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
