"""Sections by local contrast: tissue that density overlooks, within the mask and on much glass."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from tests.registration.quick import draw_faint_pair
from tests.registration.training.sections import section as draw_section

from stainbridge.imaging.image import Image
from stainbridge.phantom.pairs.pair import PhantomPair
from stainbridge.registration.sections.local import read_local_section
from stainbridge.registration.sections.section import Section, read_section
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide

WORKING_PX = 256


@pytest.fixture(scope="module")
def faint() -> PhantomPair:
    return draw_faint_pair()


def read_both(slide: Slide, mask: Image | None = None) -> tuple[Section, Section]:
    sections = read_section(slide, WORKING_PX, mask), read_local_section(slide, WORKING_PX, mask)
    assert sections[0] is not None
    assert sections[1] is not None
    return sections[0], sections[1]


def test_faint_tissue_around_a_dark_nest_is_found(faint: PhantomPair) -> None:
    by_density, by_contrast = read_both(faint.moving)
    _, fixed = read_both(faint.fixed)
    assert by_contrast.area_um2 > 2 * by_density.area_um2
    assert 0.6 < by_contrast.area_um2 / fixed.area_um2 < 1.6


def test_well_stained_tissue_keeps_its_region() -> None:
    by_density, by_contrast = read_both(draw_section())
    assert by_contrast.area_um2 == pytest.approx(by_density.area_um2, rel=0.05)


def draw_faint_disc(side: int) -> ArraySlide:
    """Draw a disc of 120 px, a few grey levels darker than noisy glass, with a dark nest in it."""
    rng = np.random.default_rng(2)
    middle = (side // 2, side // 2)
    disc, nest = (
        cv2.circle(np.zeros((side, side), np.float32), middle, radius, 1.0, -1)
        for radius in (60, 12)
    )
    structure = cv2.GaussianBlur(rng.normal(size=(side, side)), (0, 0), 1.2) * 6
    grey = 240 + rng.normal(0, 0.7, (side, side)) - disc * (4 + structure) - 120 * nest
    pixels = grey.round().clip(0, 255).astype(np.uint8)
    return ArraySlide(pixels[None].repeat(3, axis=0), 1.0)


def test_glass_around_makes_no_difference() -> None:
    areas = [read_both(draw_faint_disc(side))[1].area_um2 for side in (160, 640)]
    np.testing.assert_allclose(areas, np.pi * 60**2, rtol=0.15)


def test_a_mask_bounds_the_tissue(faint: PhantomPair) -> None:
    frame = faint.moving.frame.fit(WORKING_PX)
    allowed = np.zeros((1, frame.height, frame.width), np.uint8)
    allowed[:, :, : frame.width // 2] = 1
    mask = Image(allowed, frame, np.ones(allowed.shape[1:], bool))
    section = read_local_section(faint.moving, WORKING_PX, mask)
    assert section is not None
    inside = section.frame.centres_um()[section.region.ravel()]
    assert inside[:, 0].max() < 1.05 * frame.size_um[0] / 2


def test_a_blank_slide_has_no_section() -> None:
    blank = ArraySlide(np.full((3, 90, 90), 240, np.uint8), 1.0)
    assert read_local_section(blank, WORKING_PX) is None


def test_a_seam_that_another_picture_told_is_not_measured_again() -> None:
    section, _ = read_both(draw_section())
    assert replace(section, known_seam=7.5).seam == 7.5
    assert section.seam < 3
