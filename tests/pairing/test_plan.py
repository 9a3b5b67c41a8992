"""The plan of patches: a grid of the fixed slide at any pixel size, as far as it holds tissue."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.imaging.image import Image
from stainbridge.pairing.config import PairingConfig, Thresholds
from stainbridge.pairing.plan import choose_mpp, lay_grid, measure_shares, plan_patches
from stainbridge.slides.coerce import as_slide
from stainbridge.slides.slide import Slide

CONFIG = PairingConfig(patch_px=64)


def make_slide(mpp: float | None = 0.5) -> Slide:
    """Return a slide of 400 x 600 px whose left third is tissue."""
    pixels = np.full((400, 600, 3), 245, np.uint8)
    texture = np.random.default_rng(0).integers(0, 60, (400, 200, 1), np.uint8)
    pixels[:, :200] = np.array([150, 70, 120], np.uint8) + texture
    return as_slide(pixels, mpp=mpp)


def test_the_grid_covers_the_slide_with_whole_patches() -> None:
    frame = make_slide().frame
    grid = lay_grid(frame, CONFIG, 0.5)
    assert [place.x_px for place in grid[:9]] == [64 * column for column in range(9)]
    assert len(grid) == 9 * 6
    assert all(place.side_px == 64 for place in grid)


def test_strides_and_coarser_patches_are_in_full_resolution_pixels() -> None:
    frame = make_slide().frame
    grid = lay_grid(frame, replace(CONFIG, stride_px=32), 1.0)
    assert grid[1].x_px == 64
    assert grid[0].side_px == 128
    last = grid[-1]
    assert last.frame.mpp == (1.0, 1.0)
    assert last.frame.origin_um == (last.x_px * 0.5, last.y_px * 0.5)
    assert last.x_px + last.side_px <= frame.width
    assert last.x_px + last.side_px + 64 > frame.width


def test_only_places_with_tissue_are_planned() -> None:
    slide = make_slide()
    places = plan_patches(slide, CONFIG)
    assert {place.x_px for place in places} == {0, 64, 128}
    assert len(places) == 3 * 6
    everywhere = replace(CONFIG, thresholds=Thresholds(min_tissue=0))
    assert len(plan_patches(slide, everywhere)) == 9 * 6


def test_a_mask_leaves_places_out() -> None:
    slide = make_slide()
    allowed = np.zeros((1, 4, 6), np.uint8)
    allowed[:, :2] = 1
    mask = Image(allowed, slide.frame.fit(6), np.ones((4, 6), bool))
    places = plan_patches(slide, CONFIG, mask)
    assert places
    assert max(place.y_px for place in places) <= 200


def test_shares_are_those_of_the_region() -> None:
    frame = make_slide().frame
    region = np.zeros((400, 600), bool)
    region[:, :96] = True
    shares = measure_shares(region, frame, lay_grid(frame, CONFIG, 0.5))
    assert shares[:3] == [1.0, 0.5, 0.0]


def test_what_a_slide_cannot_give_is_refused() -> None:
    frame = make_slide().frame
    with pytest.raises(InputError, match="finer than the slide"):
        choose_mpp(frame, replace(CONFIG, mpp=0.25))
    with pytest.raises(InputError, match="smaller than a patch"):
        lay_grid(frame, CONFIG, 4.0)
    uncalibrated = make_slide(None).frame
    with pytest.raises(InputError, match="need a slide with one"):
        choose_mpp(uncalibrated, replace(CONFIG, mpp=0.5))
    assert choose_mpp(uncalibrated, CONFIG) == 1.0
