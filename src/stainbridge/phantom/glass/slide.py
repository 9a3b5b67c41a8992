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
from stainbridge.phantom.glass import jpeg
from stainbridge.phantom.glass.artefacts import Artefact, Light
from stainbridge.phantom.glass.damage import Hole, ExtraPiece
from stainbridge.phantom.glass.generated import GeneratedSlide, build_levels
from stainbridge.phantom.glass.mounted_section import ClassSlide, MountedSection
from stainbridge.phantom.space.deformation import (
    UNDEFORMED,
    DeformationConfig,
    measure_fold_distance_um,
    measure_tear_distance_um,
    build_tissue_from_slide,
    unfold_points,
)
from stainbridge.phantom.space.crop import FloatArray
from stainbridge.phantom.space.randomness import derive_key
from stainbridge.phantom.staining.laboratory import REFERENCE, Laboratory, render_light
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.slides.slide import Channel, SlideInfo
from stainbridge.types import Mask, Points

_GRAIN_PX = 509
#: The brightest value of a fluorescence camera.
MAX_FLUORESCENCE = 4095


@dataclass(frozen=True, eq=False)
class PhantomSlide(GeneratedSlide):
    """`section` lying on a slide as `deformation` says, seen by `laboratory`'s scanner; a `Slide`.

    `holes` are missing from it, `pieces` of other tissue lie on the same glass, `artefacts` on top;
    `jpeg_quality` is what the scanner stored full-resolution pixels with (None: as they are).
    Bright field is 8-bit RGB, a fluorescent stain one 12-bit channel a dye.

    Any part can be read at any pixel size, also finer than `frame`; a read of a part equals the
    part of a whole read at the same pixel size and pixel grid. Deterministic: the same fields and
    `seed` give the same pixels. Reads are thread-safe and need about 60 bytes a pixel read plus 200
    MB of kept blocks.

    Raises `InputError` when the frame does not start at (0, 0).
    """

    section: StainedSection
    frame: Frame
    deformation: DeformationConfig = UNDEFORMED
    laboratory: Laboratory = REFERENCE
    artefacts: tuple[Artefact, ...] = ()
    holes: tuple[Hole, ...] = ()
    pieces: tuple[ExtraPiece, ...] = ()
    jpeg_quality: int | None = None
    seed: int = 0

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
    def pull(self) -> Transform:
        """Slide points to the tissue points seen there, in µm; its inverse is exact beside tears
        and folds.
        """
        return build_tissue_from_slide(self.deformation, self._glass.dyes.frame, self.frame, self.seed)

    @cached_property
    def _glass(self) -> MountedSection:
        return MountedSection(self.section, self.frame, self.deformation, self.holes, self.pieces, self.seed)

    @property
    def info(self) -> SlideInfo:
        """A slide that comes from no file."""
        stain = self.section.stain
        name = f"phantom {self.section.tissue.seed} {stain.name}"
        if not stain.fluorescent:
            return SlideInfo(
                name, "phantom", "generated", None, np.uint8, tuple(Channel(c) for c in "RGB")
            )
        channels = tuple(Channel(dye.name, dye.shown) for dye in stain.dyes)
        return SlideInfo(name, "phantom", "generated", None, np.uint16, channels)

    @property
    def levels(self) -> tuple[Frame, ...]:
        """The full resolution and its halves down to about 512 pixels; every other pixel size is as
        good.
        """
        return build_levels(self.frame)

    @property
    def stain(self) -> str:
        """The stain's name."""
        return self.section.stain.name

    @property
    def classes(self) -> ClassSlide:
        """The tissue class of each pixel, as a slide of labels."""
        return ClassSlide(self._glass)

    def read(self, frame: Frame) -> Image:
        """The slide sampled on `frame`, (3, H, W).

        Outside the slide: white (fluorescence: black) and not valid.
        """
        quality = self.jpeg_quality if np.allclose(frame.mpp, self.frame.mpp, rtol=1e-6) else None
        reach = max((a.reach_px(frame, self.frame) for a in self._seen), default=0)
        reach = max(reach, jpeg.MARGIN_PX if quality else 0)
        around, left, top = _widened(frame, reach, self.frame)
        scanned = (
            self._dark_field(around)
            if self.section.stain.fluorescent
            else self._bright_field(around, quality)
        )
        pixels = scanned[top : top + frame.height, left : left + frame.width]
        valid = _inside(self.frame, frame)
        if not valid.all():
            pixels[~valid] = 0 if self.section.stain.fluorescent else 255
        return Image(np.moveaxis(pixels, -1, 0), frame, valid, self.stain)

    @property
    def _seen(self) -> tuple[Artefact, ...]:
        """The artefacts that this slide's kind of camera sees."""
        return tuple(
            a for a in self.artefacts if a.in_dark_field or not self.section.stain.fluorescent
        )

    def _bright_field(self, frame: Frame, quality: int | None) -> npt.NDArray[np.uint8]:
        """8-bit RGB (H, W, 3)."""
        light = self._light(frame)
        pixels = np.clip(np.rint(light, out=light), 0, 255, out=light).astype(np.uint8)
        return jpeg.apply_jpeg(pixels, frame, quality) if quality else pixels

    def _dark_field(self, frame: Frame) -> npt.NDArray[np.uint16]:
        """12-bit dyes (H, W, 3)."""
        light = self._light(frame) * np.float32(MAX_FLUORESCENCE / 255)
        return np.clip(np.rint(light, out=light), 0, MAX_FLUORESCENCE, out=light).astype(np.uint16)

    def _light(self, frame: Frame) -> Light:
        """What the sensor measures, (H, W, 3) with 255 the brightest."""
        light = render_light(self._glass.amounts(frame), self.section.stain, self.laboratory)
        for artefact in self._seen:
            artefact.apply(light, frame, self.frame)
        light *= 255
        light += self._grain(frame)
        return light

    def tissue_depth_um(self, points_um: Points) -> FloatArray:
        """Depth below the tissue's outline at slide points (N, 2), in µm, to about 1 % of the
        tissue's size.

        Negative on glass, also in gaps and holes.
        """
        depth = self.section.depth_um(self.pull(points_um))
        return np.asarray(np.minimum(depth, self.gap_distance_um(points_um)))

    def measure_tear_distance_um(self, points_um: Points) -> FloatArray:
        """Signed distance of slide points (N, 2) to the rims of tears and holes in µm, negative
        inside.
        """
        gap = measure_tear_distance_um(self.deformation, unfold_points(self.deformation, points_um, self.frame))
        for hole in self.holes:
            gap = np.minimum(gap, hole.rim_distance_um(points_um))
        return gap

    def fold_distance_um(self, points_um: Points) -> FloatArray:
        """Signed distance of slide points (N, 2) to the rims of folds in µm, negative where tissue
        is doubled up.
        """
        return measure_fold_distance_um(self.deformation, points_um)

    @cached_property
    def _grain_tile(self) -> npt.NDArray[np.float32]:
        rng = np.random.default_rng(derive_key(self.seed, "grain"))
        return np.float32(self.laboratory.noise) * rng.standard_normal(
            (_GRAIN_PX, _GRAIN_PX, 3), np.float32
        )

    def _grain(self, frame: Frame) -> npt.NDArray[np.float32]:
        """Sensor noise (H, W, 3), fixed to the pixel grid of this pixel size."""
        tile = self._grain_tile
        first = np.rint(np.array(frame.origin_um) / frame.mpp).astype(int)
        rows = (first[1] + np.arange(frame.height)) % _GRAIN_PX
        columns = (first[0] + np.arange(frame.width)) % _GRAIN_PX
        return np.asarray(tile[rows][:, columns])


def _widened(frame: Frame, reach_px: int, slide: Frame) -> tuple[Frame, int, int]:
    """`frame` with up to `reach_px` more pixels on each side, no further than the slide; how many
    at left and top.
    """
    first = np.rint(np.divide(frame.origin_um, frame.mpp)).astype(int)
    beyond = (
        np.rint(np.divide(slide.size_um, frame.mpp)).astype(int)
        - first
        - (frame.width, frame.height)
    )
    left, top = np.clip(first, 0, reach_px).tolist()
    right, bottom = np.clip(beyond, 0, reach_px).tolist()
    return (
        frame.crop(-left, -top, frame.width + left + right, frame.height + top + bottom),
        left,
        top,
    )


def _inside(slide: Frame, frame: Frame) -> Mask:
    """Which pixel centres of `frame` lie on the slide, (H, W)."""
    x = frame.origin_um[0] + (np.arange(frame.width) + 0.5) * frame.mpp[0]
    y = frame.origin_um[1] + (np.arange(frame.height) + 0.5) * frame.mpp[1]
    width_um, height_um = slide.size_um
    return np.asarray(((y >= 0) & (y < height_um))[:, None] & ((x >= 0) & (x < width_um))[None, :])
