"""Tissue density of any part of a slide, at any resolution, on the scale of its overview."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self, TypeAlias

import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Transform
from stainbridge.geometry.warp import warp_array
from stainbridge.imaging.colour import optical_density
from stainbridge.imaging.illumination.field import Illumination
from stainbridge.imaging.illumination.signal import find_signal_range
from stainbridge.imaging.image import Image
from stainbridge.imaging.unreadable import hide_unreadable
from stainbridge.registration.sections.section import Section, make_section
from stainbridge.slides.overview import read_tissue_overview
from stainbridge.slides.slide import Slide
from stainbridge.slides.warped import WarpedSlide
from stainbridge.types import Plane

#: Masks of the fixed and the moving slide, (1, h, w) each, where there are any.
Masks: TypeAlias = tuple[Image | None, Image | None]

#: Longest side in pixels of the overview that a density is fitted on.
OVERVIEW_PX = 512
#: Glass around the tissue in that overview, as a share of its longer side: what is blank there is
#: the zero of the scale.
GLASS_MARGIN = 0.1
#: The largest density.
MAX_DENSITY = 1.2
#: Densities between these are neither glass nor clipped: the line is fitted to them.
LINEAR_RANGE = (0.1, 1.1)


@dataclass(frozen=True, eq=False)
class SlideDensity:
    """Turns pictures of parts of a slide into tissue density on the scale of the whole.

    A part has no background of its own: inside tissue nothing is bare glass. So the squared density
    is modelled as linear in the light that the overview's pixels absorb, and the line fitted there.
    """

    overview: Section
    """The section at low resolution."""
    allowed: Plane
    """The section's outline where the mask allows tissue, (H, W), 0 to 1."""
    slope: float
    """Of the fitted line."""
    offset: float
    """Of the fitted line."""
    illumination: Illumination
    """How the slide is lit."""
    low: Plane
    """Black level of each channel of a dark field, (C,)."""
    high: Plane
    """Full level of each channel of a dark field, (C,)."""

    @classmethod
    def fit(cls, slide: Slide, mask: Image | None = None, longest_px: int = OVERVIEW_PX) -> Self:
        """Fit on an overview of the tissue of `slide`.

        `mask` (1, h, w) is not 0 where tissue may be used. Raises `InputError` when no tissue is
        found.
        """
        # the scale is that of all the tissue and its glass: a mask may leave neither
        overview = read_tissue_overview(slide, longest_px, margin=GLASS_MARGIN)
        overview = replace(overview, mask=mask)
        section = make_section(overview.require_tissue())
        assert section is not None
        image = overview.image
        ranges = [find_signal_range(plane[image.valid]) for plane in image.pixels]
        low, high = (np.array(ends, np.float32) for ends in zip(*ranges, strict=True))
        allowed = np.asarray(section.outline * overview.allowed, np.float32)
        high = np.maximum(high, low + 1e-6)
        unfitted = cls(section, allowed, 1.0, 0.0, overview.illumination, low, high)
        absorbed = unfitted._absorb(image)
        density = overview.slide_density
        used = (density > LINEAR_RANGE[0]) & (density < LINEAR_RANGE[1])
        if np.ptp(absorbed[used]) <= 0:
            raise InputError(
                "the tissue is flat", where=slide.info.path, expected="more than one grey level"
            )
        slope, offset = np.polyfit(absorbed[used], density[used] ** 2, 1)
        return cls(section, allowed, float(slope), float(offset), unfitted.illumination, low, high)

    def __call__(self, image: Image) -> Plane:
        """Return densities (H, W) float32, 0 to 1.2, of any part; 0 where it is not valid."""
        image = hide_unreadable(image)
        squared = self.slope * self._absorb(image) + self.offset
        density = np.clip(np.sqrt(np.clip(squared, 0, None)), 0, MAX_DENSITY)
        return np.asarray(density * image.valid, np.float32)

    def _absorb(self, image: Image) -> Plane:
        """Return the mean optical density, or the brightest channel's share of its range."""
        if self.illumination.is_bright:
            rgb = self.illumination.to_bytes(image.pixels)
            return np.asarray(optical_density(rgb).mean(0), np.float32)
        low = self.low[:, None, None]
        span = (self.high - self.low)[:, None, None]
        return np.asarray(((image.pixels.astype(np.float32) - low) / span).max(0).clip(0, 1.5))


def read_density(slide: Slide, density: SlideDensity, transform: Transform, frame: Frame) -> Plane:
    """Read density (H, W) on `frame` through `transform`; 0 where tissue is not allowed.

    `transform` takes µm of the frame's space to µm of the slide's.
    """
    image = WarpedSlide(slide, transform, frame).read(frame)
    allowed, _ = warp_array(density.allowed[None], density.overview.frame, transform, frame)
    return np.asarray(density(image) * allowed[0])
