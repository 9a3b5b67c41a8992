"""A slide seen small, with its tissue."""

from __future__ import annotations

import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.imaging.colour import tissue_density
from stainbridge.imaging.image import Image
from stainbridge.imaging.tissue import tissue_region
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.overview import overview_of, read_overview, stretch_mask


@pytest.fixture
def slide() -> ArraySlide:
    """Two stained squares on glass, the smaller one at the right."""
    rng = np.random.default_rng(0)
    pixels = np.full((3, 600, 800), 240, np.uint8)
    pixels[:, 100:500, 100:400] = rng.integers(90, 160, (3, 400, 300))
    pixels[:, 200:350, 550:700] = rng.integers(90, 160, (3, 150, 150))
    return ArraySlide(pixels, 0.5, name="two.png")


def mask_right_half(slide: ArraySlide) -> Image:
    frame = slide.frame.fit(16)
    pixels = np.zeros((1, frame.height, frame.width), np.uint8)
    pixels[:, :, frame.width // 2 :] = 7
    return Image(pixels, frame, np.ones(pixels.shape[1:], bool))


def test_an_overview_has_the_density_and_region_of_its_picture(slide: ArraySlide) -> None:
    overview = read_overview(slide, 200)
    image = slide.read(slide.frame.fit(200))
    density = tissue_density(image)
    assert overview.frame == image.frame
    np.testing.assert_array_equal(overview.density, density)
    np.testing.assert_array_equal(overview.region, tissue_region(density))
    assert overview.allowed.all()
    assert overview.has_tissue
    assert overview.require_tissue() is overview


def test_a_mask_takes_away_tissue(slide: ArraySlide) -> None:
    image = slide.read(slide.frame.fit(200))
    overview = overview_of(image, mask_right_half(slide))
    allowed = stretch_mask(mask_right_half(slide), image.frame)
    np.testing.assert_array_equal(overview.allowed, allowed)
    np.testing.assert_array_equal(overview.density, tissue_density(image) * allowed)
    np.testing.assert_array_equal(overview.slide_density, tissue_density(image))
    assert not overview.region[:, :90].any()
    assert overview.region[:, 140:170].any()


def test_a_slide_without_tissue_has_an_empty_region_and_may_be_refused() -> None:
    glass = ArraySlide(np.full((3, 90, 120), 240, np.uint8), name="glass.png")
    overview = read_overview(glass, 64)
    assert not overview.has_tissue
    with pytest.raises(InputError, match=r"^glass\.png: no tissue found$"):
        overview.require_tissue()
