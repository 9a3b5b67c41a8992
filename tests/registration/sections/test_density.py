"""Density of parts of a slide on the scale of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from tests.registration.training.sections import section as draw_slide

from stainbridge.errors import InputError
from stainbridge.imaging.colour import tissue_density
from stainbridge.registration.sections.density import SlideDensity
from stainbridge.slides.memory import ArraySlide


def test_parts_have_the_density_that_the_whole_slide_has_there() -> None:
    slide = draw_slide()
    density = SlideDensity.fit(slide)
    whole = tissue_density(slide.read(density.overview.frame))
    inside = density(slide.read(density.overview.frame.crop(50, 40, 40, 30)))
    assert np.abs(inside - whole[40:70, 50:90]).mean() < 0.02
    corner = density(slide.read(slide.frame.crop(0, 0, 20, 20)))
    assert corner.max() < 0.15


def test_outside_the_slide_there_is_no_tissue() -> None:
    slide = draw_slide()
    assert SlideDensity.fit(slide)(slide.read(slide.frame.crop(-40, -40, 30, 30))).max() == 0


def test_a_dark_field_slide_by_its_brightest_channel() -> None:
    bright = 255 - draw_slide().read(draw_slide().frame).pixels.astype(np.uint16)
    slide = ArraySlide(np.concatenate([bright, bright // 2]) * 100, 1.0, "fluorescence")
    density = SlideDensity.fit(slide)
    whole = tissue_density(slide.read(slide.frame))
    assert np.abs(density(slide.read(slide.frame)) - whole).mean() < 0.05


def test_a_blank_slide_is_one_line() -> None:
    with pytest.raises(InputError, match="blank: no tissue found"):
        SlideDensity.fit(ArraySlide(np.full((3, 90, 90), 240, np.uint8), 1.0, "blank"))
