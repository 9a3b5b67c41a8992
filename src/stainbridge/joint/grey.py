"""Grey pictures of any part of a slide, as networks that compare modalities see it.

Tissue density, which the other stages see, takes a slide for bright or dark field. Sections beside
an MRI or an X-ray are neither for certain, so these networks are shown what the file holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Transform
from stainbridge.geometry.warp import warp_array
from stainbridge.imaging.image import Image
from stainbridge.imaging.unreadable import hide_unreadable
from stainbridge.registration.sections.density import OVERVIEW_PX
from stainbridge.registration.sections.section import Section, make_section
from stainbridge.slides.overview import Overview, frame_mask_box, read_tissue_overview
from stainbridge.slides.slide import Slide
from stainbridge.slides.warped import WarpedSlide
from stainbridge.types import Mask, Pixels, Plane

#: Percentile of the tissue's values that becomes 1, where a file has more than eight bits.
FULL_PERCENTILE = 99.5


@dataclass(frozen=True, eq=False)
class SlideGrey:
    """Turns pictures of parts of a slide into grey values, 0 … 1, on one scale for all parts.

    The grey value is the mean of the channels. Outside the tissue it is 0.
    """

    slide: Slide
    """The slide."""
    section: Section
    """Its section at low resolution."""
    allowed: Plane
    """1 where tissue may be used, on the section's frame, (H, W)."""
    full: float
    """The value in the file that becomes 1."""

    @classmethod
    def fit(cls, slide: Slide, mask: Image | None = None, longest_px: int = OVERVIEW_PX) -> Self:
        """Find the tissue and the scale of the values.

        `mask` (1, h, w), not 0 on tissue, replaces the search.
        Raises `InputError` where there is no tissue or only one grey value.
        """
        overview = _read_overview(slide, longest_px, mask)
        if mask is not None:
            _check_values(overview, overview.allowed)
        overview.require_tissue()
        section = make_section(overview)
        assert section is not None
        allowed = section.outline if mask is None else overview.allowed
        grey = _average_channels(overview.image.pixels)
        values = grey[allowed & overview.image.valid]
        _check_values(overview, allowed)
        is_byte = overview.image.pixels.dtype == np.uint8
        full = 255.0 if is_byte else float(np.percentile(values, FULL_PERCENTILE))
        return cls(slide, section, allowed.astype(np.float32), full)

    def read(self, transform: Transform, frame: Frame) -> tuple[Plane, Plane]:
        """Return grey values and how much each pixel is tissue, (H, W) each, both 0 … 1.

        `transform` takes µm of the frame's space to µm of the slide's.
        """
        image = hide_unreadable(WarpedSlide(self.slide, transform, frame).read(frame))
        allowed, _ = warp_array(self.allowed[None], self.section.frame, transform, frame)
        inside = np.asarray(allowed[0] * image.valid, np.float32)
        grey = (_average_channels(image.pixels) / np.float32(self.full)).clip(0, 1)
        return np.asarray(grey * inside, np.float32), inside


def _read_overview(slide: Slide, longest_px: int, mask: Image | None) -> Overview:
    """Read the frame of the tissue, or that of the mask, which may show what no search finds."""
    if mask is None:
        return read_tissue_overview(slide, longest_px)
    frame = frame_mask_box(mask, slide.frame).fit(longest_px)
    return Overview.of(slide.read(frame), slide.info.path, mask)


def _check_values(overview: Overview, allowed: Mask) -> None:
    """Raise `InputError` where the tissue has one grey value only."""
    values = _average_channels(overview.image.pixels)[allowed & overview.image.valid]
    if np.ptp(values) <= 0:
        raise InputError(
            "the tissue is flat", where=overview.where, expected="more than one grey level"
        )


def _average_channels(pixels: Pixels) -> Plane:
    return np.asarray(pixels.astype(np.float32).mean(0))
