"""The tissue region: all of the section, nothing of the glass, whatever else is on the slide."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.filters import threshold_otsu
from tests.imaging.pictures import (
    HEIGHT,
    SIZE,
    WIDTH,
    agreement,
    fluorescence,
    glass,
    image_of,
    overview,
    section,
    truth,
)

from stainbridge.imaging.colour import tissue_density
from stainbridge.imaging.image import Image
from stainbridge.imaging.tissue import find_otsu_threshold, tissue_region
from stainbridge.phantom.glass.artefacts import (
    Artefact,
    BlackBorder,
    Dust,
    PenMark,
    ScaleBar,
    UnevenLight,
)
from stainbridge.slides.open import open_slide
from stainbridge.types import Mask, Plane

LOOP = ((0.1, 0.1), (0.9, 0.08), (0.92, 0.9), (0.08, 0.93), (0.1, 0.1))
ACROSS = ((0.05, 0.5), (0.95, 0.45))
GREEN, RED, BLACK = (0.1, 0.5, 0.2), (0.8, 0.1, 0.15), (0.05, 0.05, 0.06)
Intensities = npt.NDArray[np.floating]


def region_of(image: Image) -> Mask:
    return tissue_region(tissue_density(image))


def disc(height: int, width: int, centre: tuple[int, int], radius: int) -> Plane:
    """Density 0.8 in a disc at (x, y), 0 elsewhere."""
    plane = np.zeros((height, width), np.uint8)
    cv2.circle(plane, centre, radius, 1, -1)
    return np.asarray(plane * np.float32(0.8))


def ramp(low: float, high: float) -> Intensities:
    return np.broadcast_to(np.linspace(low, high, WIDTH), (3, HEIGHT, WIDTH))


@pytest.mark.parametrize("stain", ["HE", "PanCK"])
def test_the_region_is_the_section(stain: str) -> None:
    region = region_of(overview(stain))
    assert agreement(region, truth(stain)) > 0.8
    assert region[truth(stain)].mean() > 0.8
    assert region[~truth(stain)].mean() < 0.02


@pytest.mark.parametrize(
    "artefact",
    [
        PenMark(LOOP),
        PenMark(LOOP, colour=GREEN),
        PenMark(LOOP, colour=RED),
        PenMark(LOOP, colour=BLACK, opacity=0.95),
        PenMark(ACROSS),
        PenMark(ACROSS, colour=GREEN),
        PenMark(ACROSS, colour=BLACK, opacity=0.95),
        BlackBorder((0.03, 0.02, 0.03, 0.04)),
        ScaleBar(800.0),
        Dust(60),
        UnevenLight(0.06, seed=2),
    ],
    ids=lambda artefact: f"{type(artefact).__name__} {getattr(artefact, 'colour', '')}",
)
def test_artefacts_do_not_change_the_region(artefact: Artefact) -> None:
    assert agreement(region_of(overview("HE", artefact)), region_of(overview("HE"))) > 0.93


@pytest.mark.parametrize("strength", [0.5, 0.25])
@pytest.mark.parametrize("stain", ["HE", "PanCK"])
def test_a_faint_section_is_found(stain: str, strength: float) -> None:
    faint = image_of(255 - (255.0 - overview(stain).pixels) * strength)
    assert agreement(region_of(faint), region_of(overview(stain))) > 0.9


@pytest.mark.parametrize("stain", ["HE", "PanCK"])
def test_stripes_of_light_are_no_tissue_beside_a_faint_section(stain: str) -> None:
    pale = 255 - (255.0 - overview(stain).pixels) * 0.25
    stripes = UnevenLight(0.05, seed=2)
    frame = section(stain).frame
    light = np.ones((SIZE, SIZE, 3), np.float32)
    stripes.apply(light, frame, frame)
    found = region_of(image_of(pale * light.transpose(2, 0, 1)))
    assert found[~truth(stain)].mean() < 0.02
    assert agreement(found, truth(stain)) > 0.7


def test_a_section_on_tinted_glass_is_found() -> None:
    tinted = image_of(overview("HE").pixels * np.array([0.9, 0.86, 0.72])[:, None, None])
    assert agreement(region_of(tinted), region_of(overview("HE"))) > 0.93


def on_canvas(pixels: Intensities) -> tuple[Image, Callable[[Mask], Mask]]:
    """Turned by 30° on pure white, and masks with it."""
    height, width = pixels.shape[1:]
    side = int(np.hypot(height, width)) + 20
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 30, 1.0)
    matrix[:, 2] += (side / 2 - width / 2, side / 2 - height / 2)
    turned = np.stack(
        [cv2.warpAffine(plane, matrix, (side, side), borderValue=255.0) for plane in pixels]
    )

    def carried(mask: Mask) -> Mask:
        return np.asarray(cv2.warpAffine(mask.astype(np.uint8), matrix, (side, side)) > 0)

    return image_of(turned), carried


@pytest.mark.parametrize("level", [0.98, 0.95, 0.9, 0.8])
@pytest.mark.parametrize("strength", [1.0, 0.3])
def test_the_white_that_pads_a_scan_does_not_make_its_glass_tissue(
    level: float, strength: float
) -> None:
    scan = (
        (255 - (255.0 - overview("HE").pixels) * strength)
        * np.array([0.99, 1.0, 0.98])[:, None, None]
        * level
    )
    padded, carried = on_canvas(scan)
    assert agreement(region_of(padded), carried(region_of(image_of(scan)))) > 0.93


def test_glass_that_is_white_itself_is_no_canvas() -> None:
    overexposed = image_of(np.clip(overview("HE").pixels * 1.08, 0, 255))
    assert (overexposed.pixels.min(0) >= 254).mean() > 0.3
    assert agreement(region_of(overexposed), region_of(overview("HE"))) > 0.9


def test_fluorescence_is_found() -> None:
    assert agreement(region_of(fluorescence()), truth("HE")) > 0.8


@pytest.mark.parametrize("level", [0, 90, 180, 240, 255])
def test_a_slide_of_one_colour_is_empty(level: int) -> None:
    assert not region_of(image_of(np.full((3, HEIGHT, WIDTH), float(level)))).any()


@settings(max_examples=15, deadline=None)
@given(level=st.floats(150, 250), noise=st.floats(0, 9), seed=st.integers(0, 99))
def test_noise_on_blank_glass_is_not_tissue(level: float, noise: float, seed: int) -> None:
    assert not region_of(image_of(glass(noise, seed, level))).any()


@settings(max_examples=15, deadline=None)
@given(low=st.floats(170, 250), high=st.floats(170, 250), noise=st.floats(0, 4))
def test_a_gradient_of_light_is_not_tissue(low: float, high: float, noise: float) -> None:
    # From 120 to 224 with a noise of 5 it is taken for tissue: light so uneven is not known of any
    # scanner.
    assert not region_of(image_of(ramp(low, high) + glass(noise, 1, 0.0))).any()


@pytest.mark.parametrize("columns", [40, 25, 7])
def test_bars_that_fill_the_picture_are_tissue(columns: int) -> None:
    bars = (np.arange(WIDTH) // columns % 2).astype(bool)
    pixels = glass(2, 1)
    pixels[:, :, bars] -= np.array([60.0, 100.0, 50.0])[:, None, None]
    region = region_of(image_of(pixels))
    assert region[HEIGHT // 2][bars].mean() > 0.9


def test_a_strip_that_fills_a_wide_picture_is_tissue() -> None:
    rng = np.random.default_rng(2)
    strip = cv2.GaussianBlur(rng.normal(size=(100, 2000)).astype(np.float32), (0, 0), 4)
    density = np.zeros((120, 2000), np.float32)
    density[10:110, 40:1960] = (0.6 + 0.1 * strip / strip.std())[:, :1920]
    assert tissue_region(density)[15:105, 60:1940].all()


@pytest.mark.parametrize("share", [0.98, 0.7])
def test_evenly_stained_tissue_that_fills_most_of_the_picture_is_found(share: float) -> None:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    ellipse = np.hypot(2 * x / WIDTH - 1, 2 * y / HEIGHT - 1) < share
    pixels = glass(2, 1)
    pixels[:, ellipse] -= np.array([60.0, 100.0, 50.0])[:, None]
    assert agreement(region_of(image_of(pixels)), ellipse) > 0.95


def test_grain_that_a_codec_smoothed_is_not_tissue() -> None:
    grain = cv2.GaussianBlur(glass(1, 2, 0.0)[0], (0, 0), 3)
    assert not region_of(
        image_of(240 + np.broadcast_to(2.5 * grain / grain.std(), (3, HEIGHT, WIDTH)))
    ).any()


def test_ink_and_a_border_on_blank_glass_are_not_tissue() -> None:
    pixels = glass(3, 3)
    pixels[:, :, :12] = 0
    line = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.polylines(line, [np.array([[60, 60], [350, 80], [340, 240]])], False, 1, 7)
    pixels[:, line > 0] = np.array([30.0, 60.0, 160.0])[:, None]
    assert not region_of(image_of(pixels)).any()


def test_a_dark_blank_slide_is_empty() -> None:
    source = fluorescence()
    rng = np.random.default_rng(5)
    dark = rng.normal(300, 20, (4, *source.valid.shape))
    dark[rng.random(dark.shape) < 2e-4] = 60000
    assert not region_of(Image(dark.astype(np.uint16), source.frame, source.valid)).any()


@given(st.integers(2, 60), st.integers(2, 60))
@settings(deadline=None)
def test_no_density_is_no_region(height: int, width: int) -> None:
    region = tissue_region(np.zeros((height, width), np.float32))
    assert region.shape == (height, width)
    assert not region.any()


def test_holes_belong_to_the_region() -> None:
    ring = disc(300, 400, (200, 150), 100) - disc(300, 400, (200, 150), 60)
    assert agreement(tissue_region(ring), disc(300, 400, (200, 150), 100) > 0) > 0.93


def test_debris_is_dropped_and_a_second_piece_is_kept() -> None:
    density = np.maximum(disc(400, 600, (180, 200), 110), disc(400, 600, (480, 200), 50))
    density = np.maximum(density, disc(400, 600, (330, 30), 7))
    region = tissue_region(density)
    assert region[200, 180]
    assert region[200, 480]
    assert not region[:50, 310:350].any()


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("at", [2, 330])
def test_straight_lines_are_no_tissue(turned: bool, at: int) -> None:
    alone = disc(400, 600, (300, 190), 110)
    density = alone.copy()
    density[at : at + 5, 20:590] = 1.0
    if turned:
        alone, density = np.ascontiguousarray(alone.T), np.ascontiguousarray(density.T)
    assert agreement(tissue_region(density), tissue_region(alone)) > 0.98


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 3), st.booleans())
def test_the_region_turns_with_the_picture(quarters: int, mirrored: bool) -> None:
    def turn(plane: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        return np.rot90(plane[:, ::-1] if mirrored else plane, quarters)

    density = tissue_density(overview("HE"))
    turned = tissue_region(np.ascontiguousarray(turn(density), np.float32))
    assert agreement(turned, np.asarray(turn(tissue_region(density)), bool)) > 0.97


@pytest.mark.parametrize("size", [250, 1000, 1600])
def test_the_region_is_the_same_at_other_resolutions(size: int) -> None:
    density = tissue_density(overview("HE"))
    other = cv2.resize(
        density, (size, size), interpolation=cv2.INTER_AREA if size < SIZE else cv2.INTER_LINEAR
    )
    region = cv2.resize(tissue_region(np.asarray(other)).astype(np.uint8), (SIZE, SIZE)) > 0
    assert agreement(region, tissue_region(density)) > 0.93


def test_real_sections_are_found_and_their_frames_are_not(real_data: Path) -> None:
    folder = real_data / "breast_he_her2" / "images"
    for name, share in (("acro_0_whole_he.jpg", 0.64), ("acro_0_whole_her2.jpg", 0.5)):
        with open_slide(folder / name) as slide:
            image = slide.read(slide.frame.fit(1024))
        region = region_of(image)
        assert region.mean() == pytest.approx(share, abs=0.07)
        assert region[-4:].mean() < 0.5  # the scale bar and the cover slip's edge run all along


def test_otsu_divides_two_heaps_as_a_library_does() -> None:
    random = np.random.default_rng(5)
    heaps = [random.normal(0.1, 0.03, 3000), random.normal(0.6, 0.1, 2000)]
    values = np.concatenate(heaps).astype(np.float32)
    assert find_otsu_threshold(values) == pytest.approx(threshold_otsu(values), abs=1e-3)


def test_otsu_of_one_value_is_that_value() -> None:
    assert find_otsu_threshold(np.full(9, 0.25, np.float32)) == 0.25


@pytest.mark.parametrize("level", [246.0, 244.6])
@pytest.mark.parametrize("shown", [0.08, 0.2])
def test_pale_tissue_that_is_small_on_noisy_glass_is_not_all_of_it(
    shown: float, level: float
) -> None:
    """Where glass fills nearly all of the picture, its noise must not set the scale."""
    rng = np.random.default_rng(2)
    side = 512
    truly = disc(side, side, (120, 160), 50) > 0
    texture = cv2.GaussianBlur(rng.normal(0, 1, (side, side)), (0, 0), 1.5)
    depth = truly * shown * (0.5 + 0.15 * texture / texture.std()).clip(0.2, 1)
    pixels = level * np.exp(-depth)[None] + rng.normal(0, 0.75, (1, side, side))
    region = region_of(image_of(pixels.repeat(3, axis=0)))
    assert agreement(region, truly) > 0.85
