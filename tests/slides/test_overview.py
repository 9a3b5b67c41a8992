"""A slide seen small, with its tissue."""

from __future__ import annotations

import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.imaging.colour import tissue_density
from stainbridge.imaging.illumination.field import Illumination
from stainbridge.imaging.image import Image
from stainbridge.imaging.tissue import tissue_region
from stainbridge.registration.pieces.piece import find_regions, read_piece
from stainbridge.registration.sections.density import SlideDensity
from stainbridge.registration.sections.section import read_section
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.overview import (
    CutSides,
    find_cut_sides,
    find_tissue,
    frame_mask_box,
    frame_tissue_box,
    intersect_masks,
    overview_of,
    place_mask,
    read_overview,
    read_tissue_overview,
)


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
    allowed = place_mask(mask_right_half(slide), image.frame)
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


def draw_on_glass(factor: int, at: tuple[float, float] = (0.4, 0.3)) -> ArraySlide:
    """A textured disc, 160 px across, on glass `factor` times as large."""
    rng = np.random.default_rng(1)
    side = 200 * factor
    pixels = np.full((3, side, side), 240, np.uint8) - rng.integers(0, 3, (3, side, side), np.uint8)
    y, x = np.mgrid[:160, :160] - 79.5
    disc = np.hypot(x, y) < 80
    left, top = (round(share * (side - 160)) for share in at)
    texture = rng.integers(90, 160, (3, 40, 40)).repeat(4, 1).repeat(4, 2)
    window = pixels[:, top : top + 160, left : left + 160]
    window[:, disc] = texture[:, disc]
    return ArraySlide(pixels, 0.5, name="disc.png")


@pytest.mark.parametrize("factor", [1, 2, 4, 8, 16])
def test_the_tissue_has_the_same_frame_whatever_glass_lies_around(factor: int) -> None:
    slide = draw_on_glass(factor)
    overview = read_tissue_overview(slide, 128)
    assert max(overview.frame.width, overview.frame.height) == 128
    size_px = np.array(overview.frame.size_um) / 0.5
    assert np.abs(size_px - 160).max() < 12
    corner = (200 * factor - 160) * np.array([0.4, 0.3])
    assert np.abs(np.array(overview.frame.origin_um) / 0.5 - corner.round()).max() < 8
    assert overview.region.mean() == pytest.approx(np.pi / 4, abs=0.06)


def test_a_picture_full_of_tissue_is_read_whole() -> None:
    rng = np.random.default_rng(2)
    pixels = rng.integers(90, 160, (3, 30, 40)).repeat(8, 1).repeat(8, 2).astype(np.uint8)
    slide = ArraySlide(pixels, name="full.png")
    look = find_tissue(slide)
    assert find_cut_sides(look, slide.frame) == CutSides(True, True, True, True)
    assert read_tissue_overview(slide, 160).frame == slide.frame.fit(160)


def test_a_margin_ends_where_a_side_cuts_the_tissue() -> None:
    slide = draw_on_glass(2)
    cut = ArraySlide(slide.read(slide.frame.crop(160, 0, 240, 400)).pixels, 0.5)
    look = find_tissue(cut)
    assert find_cut_sides(look, cut.frame) == CutSides(left=True)
    box = frame_tissue_box(look, cut.frame, margin=0.5)
    assert box.origin_um[0] == 0
    assert box.origin_um[1] < look.frame.origin_um[1] + 20
    assert box.width > 0.5 * box.height > 100


def test_blank_glass_is_read_whole_and_has_no_tissue() -> None:
    glass = ArraySlide(np.full((3, 90, 120), 240, np.uint8), name="glass.png")
    assert read_tissue_overview(glass, 64).frame == glass.frame.fit(64)
    assert not read_tissue_overview(glass, 64).has_tissue


def test_a_mask_lies_where_its_frame_says(slide: ArraySlide) -> None:
    frame = slide.frame.crop(200, 100, 300, 200).fit(30)
    mask = Image(np.ones((1, 20, 30), np.uint8), frame, np.ones((20, 30), bool))
    placed = place_mask(mask, slide.frame)
    expected = np.zeros((600, 800), bool)
    expected[100:300, 200:500] = True
    np.testing.assert_array_equal(placed, expected)
    assert frame_mask_box(mask, slide.frame) == slide.frame.crop(200, 100, 300, 200)
    both = intersect_masks(mask, mask_right_half(slide))
    assert both is not None
    expected[:, :400] = False
    np.testing.assert_array_equal(place_mask(both, slide.frame), expected)
    assert intersect_masks(None, mask) is mask
    assert intersect_masks(None, None) is None


def test_the_frame_is_that_of_the_tissue_which_a_mask_allows(slide: ArraySlide) -> None:
    overview = read_tissue_overview(slide, 200, mask_right_half(slide))
    low, high = overview.frame.corners_um[[0, 2]] / 0.5
    assert np.abs(low - [550, 200]).max() < 12
    assert np.abs(high - [700, 350]).max() < 12


def draw_grey_on_black(dtype: type[np.generic], boxes: list[tuple[int, int]]) -> ArraySlide:
    """Evenly grey, textured discs on a dark field: each fills most of the box around it."""
    rng = np.random.default_rng(2)
    pixels = np.zeros((1, 300, 400), np.float64)
    y, x = np.mgrid[:150, :150] - 74.5
    disc = np.hypot(x, y) < 75
    for row, column in boxes:
        grey = np.kron(rng.uniform(0.75, 0.95, (15, 15)), np.ones((10, 10))) * disc
        pixels[0, row : row + 150, column : column + 150] = grey
    largest = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    return ArraySlide((pixels * largest).astype(dtype), 1.0, name="grey.png")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_bright_grey_tissue_is_still_in_a_dark_field_when_seen_alone(
    dtype: type[np.generic],
) -> None:
    """A brain slice on black: without the black around it, it looks like pale tissue on glass."""
    slide = draw_grey_on_black(dtype, [(60, 120)])
    overview = read_tissue_overview(slide, 256)
    assert overview.frame.size_um[0] < 200
    assert not overview.illumination.is_bright
    assert overview.density[overview.region].mean() > 0.5
    assert not SlideDensity.fit(slide).illumination.is_bright
    section = read_section(slide, 256)
    assert section is not None
    assert not section.illumination.is_bright


def test_a_piece_is_lit_as_its_slide() -> None:
    slide = draw_grey_on_black(np.uint8, [(60, 20), (60, 220)])
    section = read_section(slide, 256)
    assert section is not None
    light = Illumination(is_bright=False, white=1.0)
    pieces = [read_piece(slide, region, 128, None, light) for region in find_regions(section)]
    assert [piece and piece.section.illumination for piece in pieces] == [light, light]


def test_tissue_whose_faint_parts_reach_the_glass_is_as_dense_seen_alone() -> None:
    """A close-up shows more tissue than glass, and no gap between them."""
    rng = np.random.default_rng(4)
    side = 640
    y, x = np.mgrid[:side, :side]
    disc = np.hypot(x - side / 2, y - side / 2) < 0.3 * side
    density = np.where(disc, rng.normal(0.18, 0.06, disc.shape), rng.normal(0.05, 0.02, disc.shape))
    density[disc & (x < 0.4 * side)] += 0.8
    pixels = (255 * np.exp(-density.clip(0.01))).round().astype(np.uint8)[None].repeat(3, 0)
    slide = ArraySlide(pixels, 0.5)
    alone = read_tissue_overview(slide, side)
    assert alone.frame.width < 0.75 * side
    around = read_overview(slide, side)
    low = int(around.frame.width / 2 - alone.frame.width / 2)
    same = np.s_[low : low + alone.frame.height, low : low + alone.frame.width]
    assert alone.region.mean() == pytest.approx(around.region[same].mean(), abs=0.02)
    assert np.median(alone.density) == pytest.approx(np.median(around.density[same]), rel=0.1)
