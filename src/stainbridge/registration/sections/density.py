"""Tissue density of any part of a slide at any resolution, on the scale that its overview has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Transform
from stainbridge.geometry.warp import warp_array
from stainbridge.imaging.colour import is_brightfield, optical_density, tissue_density
from stainbridge.imaging.image import Image
from stainbridge.registration.sections.section import Section, allowed_on, section_of_image
from stainbridge.slides.slide import Slide
from stainbridge.slides.warped import WarpedSlide
from stainbridge.types import Plane

#: The fixed and the moving slide's, where there are any.
Masks: TypeAlias = tuple[Image | None, Image | None]

DENSEST = 1.2
#: Densities that are neither glass nor clipped.
LINEAR = (0.1, 1.1)


@dataclass(frozen=True, eq=False)
class SlideDensity:
    """Turns pictures of parts of a slide into what `tissue_density` makes of the whole.

    A part has no background of its own to go by: inside tissue nothing is bare glass. So the
    squared density is taken as linear in what light the overview's pixels took away, and the line
    is fitted there. `overview` is the section at low resolution, `shown` (H, W), 0 to 1, its
    outline as far as a mask allows; `low` and `high` are the dark field's limits of each channel.
    """

    overview: Section
    shown: Plane
    slope: float
    offset: float
    bright: bool
    low: Plane
    high: Plane

    @classmethod
    def of(cls, slide: Slide, mask: Image | None = None, longest_px: int = 512) -> Self:
        """Fit on an overview of `slide`; `mask` (1, h, w), not 0 where tissue may be used, is
        stretched over it.

        Raises `InputError` when no tissue is found on it.
        """
        image = slide.read(slide.frame.fit(longest_px))
        section, allowed = section_of_image(image, mask), allowed_on(image.frame, mask)
        if section is None:
            raise InputError("no tissue found", where=slide.info.path)
        flat = image.pixels[:, image.valid].astype(np.float32)
        low, high = (np.percentile(flat, q, axis=1).astype(np.float32) for q in (5, 99.5))
        shown = np.asarray(section.outline * allowed, np.float32)
        bare = cls(
            section, shown, 1.0, 0.0, is_brightfield(image), low, np.maximum(high, low + 1e-6)
        )
        taken, density = bare._taken(image), tissue_density(image)
        used = (density > LINEAR[0]) & (density < LINEAR[1])
        if np.ptp(taken[used]) <= 0:
            raise InputError(
                "the tissue is flat", where=slide.info.path, expected="more than one grey level"
            )
        slope, offset = np.polyfit(taken[used], density[used] ** 2, 1)
        return cls(section, shown, float(slope), float(offset), bare.bright, bare.low, bare.high)

    def __call__(self, image: Image) -> Plane:
        """(H, W) float32 densities, 0 to 1.2, of a picture of any part; 0 where it is not valid."""
        squared = self.slope * self._taken(image) + self.offset
        return np.asarray(
            np.clip(np.sqrt(np.clip(squared, 0, None)), 0, DENSEST) * image.valid, np.float32
        )

    def _taken(self, image: Image) -> Plane:
        """Mean optical density, or the brightest channel's share of its range."""
        if self.bright:
            return np.asarray(optical_density(image.pixels).mean(0), np.float32)
        low, span = self.low[:, None, None], (self.high - self.low)[:, None, None]
        return np.asarray(((image.pixels.astype(np.float32) - low) / span).max(0).clip(0, 1.5))


def read_density(slide: Slide, density: SlideDensity, transform: Transform, frame: Frame) -> Plane:
    """Density (H, W) on `frame` through `transform` (µm of `frame`'s space to µm of the slide's), 0
    if not shown.
    """
    image = WarpedSlide(slide, transform, frame).read(frame)
    shown, _ = warp_array(density.shown[None], density.overview.frame, transform, frame)
    return np.asarray(density(image) * shown[0])
