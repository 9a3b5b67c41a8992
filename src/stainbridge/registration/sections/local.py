"""A section by its local contrast, for slides whose stains show too little or too much of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from stainbridge.imaging.colour import measure_light, tissue_density
from stainbridge.imaging.image import Image
from stainbridge.imaging.local_contrast import find_textured_region, normalise_contrast
from stainbridge.imaging.tissue import tissue_region
from stainbridge.registration.sections.section import Section, make_section
from stainbridge.slides.overview import (
    LOOK_PX,
    Overview,
    find_tissue,
    frame_tissue_box,
    place_mask,
)
from stainbridge.slides.slide import Slide
from stainbridge.types import Mask, Plane

#: Tissue that textures tell replaces what density tells where it is this many times as large:
#: density shows a dark nest in it alone.
LEAST_GAIN = 1.5
#: Free room around the tissue in its frame, as a share of its longer side.
MARGIN = 0.02


@dataclass(frozen=True, eq=False)
class LocalOverview(Overview):
    """A slide at low resolution, as its local contrast shows it."""

    known_region: Mask | None = None
    """Where the tissue is, (H, W), where a wider picture told; None: as this one shows it."""

    @cached_property
    def slide_density(self) -> Plane:
        """How dark each pixel is beside those nearby, (H, W); see `normalise_contrast`."""
        return normalise_contrast(*self._light)

    @cached_property
    def region(self) -> Mask:
        """The area that density or, if that is far larger, texture tells from glass, (H, W)."""
        if self.known_region is not None:
            return self.known_region
        dense = tissue_region(tissue_density(self.image, self.illumination) * self.allowed)
        textured = find_textured_region(*self._light)
        if textured is None or textured.sum() < LEAST_GAIN * dense.sum():
            return dense
        return np.asarray((textured | dense) & self.allowed)

    @cached_property
    def _light(self) -> tuple[Plane, Mask]:
        light, foreign = measure_light(self.image, self.illumination)
        return light, foreign | ~self.allowed


def read_local_section(slide: Slide, longest_px: int, mask: Image | None = None) -> Section | None:
    """Read a slide's tissue by its local contrast; None when no tissue is found on it.

    `longest_px` and `mask` are those of `read_section`.
    """
    look = find_tissue(slide, mask, min(longest_px, LOOK_PX), LocalOverview)
    if not look.has_tissue:
        return None
    frame = frame_tissue_box(look, slide.frame, MARGIN).fit(longest_px)
    closer = LocalOverview.of(slide.read(frame), slide.info.path, mask, look.light_around)
    # without glass around it, nothing tells the tissue's texture
    region = Image(look.region[None].astype(np.uint8), look.frame, look.image.valid)
    placed = place_mask(region, frame) & closer.image.valid
    return make_section(replace(closer, known_region=placed))
