"""Tissue density: nothing on glass, the same whatever the scanner, ink and dirt do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.imaging.pictures import (
    HEIGHT,
    SIZE,
    WIDTH,
    fluorescence,
    glass,
    image_of,
    overview,
    section,
    truth,
)

from stainbridge.geometry.frame import Space
from stainbridge.imaging.colour import measure_light, optical_density, tissue_density
from stainbridge.imaging.illumination.field import find_illumination, is_brightfield
from stainbridge.imaging.illumination.shade import estimate_remaining_shade
from stainbridge.imaging.image import Image
from stainbridge.imaging.ink import find_ink, find_pen_colours
from stainbridge.phantom.glass.artefacts import (
    Artefact,
    BlackBorder,
    PenMark,
    ScaleBar,
    UnevenLight,
)
from stainbridge.phantom.space.randomness import compute_axis_centres
from stainbridge.types import Mask

LOOP = ((0.1, 0.1), (0.9, 0.08), (0.92, 0.9), (0.08, 0.93), (0.1, 0.1))
ACROSS = ((0.05, 0.5), (0.95, 0.45))
PENS = {
    "blue": (0.12, 0.32, 0.62),
    "green": (0.1, 0.5, 0.2),
    "red": (0.8, 0.1, 0.15),
    "black": (0.05, 0.05, 0.06),
}


def stroke(
    path: tuple[tuple[float, float], ...], width: float, colour: str
) -> tuple[PenMark, Mask]:
    """A pen mark and the pixels of `overview` whose colour it changes much."""
    pen = PenMark(path, width, PENS[colour], 0.95)
    frame = section("HE").frame
    light = np.ones((SIZE, SIZE, 3), np.float32)
    pen.apply(light, frame, frame)
    return pen, np.asarray(light.min(axis=2) < 0.5)


@given(st.integers(4, 254))
def test_optical_density_is_additive(level: int) -> None:
    half = optical_density(np.full((3, 2, 2), level / 2 + 2, np.float32))
    whole = optical_density(np.full((3, 2, 2), level, np.float32))
    np.testing.assert_allclose(half - whole, -np.log((level / 2 + 2) / level), atol=1e-5)


def test_optical_density_of_integers_is_that_of_their_values() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    np.testing.assert_allclose(
        optical_density(values), optical_density(values.astype(np.float32)), atol=1e-6
    )
    assert optical_density(values)[0, -1, -1] == 0


def test_density_is_one_plane_between_0_and_1_2() -> None:
    for image in (overview("HE"), fluorescence()):
        density = tissue_density(image)
        assert density.shape == image.valid.shape
        assert density.dtype == np.float32
        assert density.min() == 0
        assert 0.9 < density.max() <= np.float32(1.2)


@pytest.mark.parametrize("stain", ["HE", "PanCK"])
def test_tissue_stands_out_from_glass(stain: str) -> None:
    density, tissue = tissue_density(overview(stain)), truth(stain)
    assert np.median(density[tissue]) > 0.3
    assert np.median(density[~tissue]) < 0.05


@settings(max_examples=12, deadline=None)
@given(st.tuples(*[st.floats(0.75, 1.0)] * 3))
def test_a_tint_of_the_glass_hardly_matters(tint: tuple[float, float, float]) -> None:
    plain = overview("HE")
    tinted = image_of(plain.pixels * np.array(tint)[:, None, None])
    assert np.abs(tissue_density(tinted) - tissue_density(plain)).mean() < 0.05


def test_a_faint_stain_is_shown_like_a_strong_one() -> None:
    strong = overview("HE")
    faint = image_of(255 - (255.0 - strong.pixels) * 0.2)
    tissue = truth("HE")
    assert np.corrcoef(tissue_density(faint)[tissue], tissue_density(strong)[tissue])[0, 1] > 0.9


@pytest.mark.parametrize("colour", PENS)
@pytest.mark.parametrize(("path", "width"), [(LOOP, 0.02), (ACROSS, 0.02), (ACROSS, 0.01)])
def test_ink_is_not_tissue_and_leaves_tissue_alone(
    colour: str, path: tuple[tuple[float, float], ...], width: float
) -> None:
    pen, inked = stroke(path, width, colour)
    density, clean = tissue_density(overview("HE", pen)), tissue_density(overview("HE"))
    assert np.mean(density[inked] > 0.1) < 0.06
    away = truth("HE") & ~_near(inked)
    assert np.abs(density[away] - clean[away]).mean() < 0.03 * clean[away].mean()


def draw_black_disc(radius: int) -> tuple[Image, Mask]:
    """Return glass with a flat black disc, and where the disc is."""
    rows, columns = np.mgrid[:200, :200]
    disc = np.hypot(rows - 100, columns - 100) < radius
    return image_of(np.where(disc, 15.0, 240.0)[None].repeat(3, axis=0)), disc


@pytest.mark.parametrize(("radius", "is_foreign"), [(20, True), (70, False)])
def test_what_is_black_on_much_of_a_picture_is_no_ink(radius: int, is_foreign: bool) -> None:
    image, disc = draw_black_disc(radius)
    light, foreign = measure_light(image, find_illumination(image))
    assert foreign[disc].all() == is_foreign
    assert foreign.any() == is_foreign
    assert light[disc].min() > light[~disc].max() + 2


def test_light_is_measured_from_no_background() -> None:
    image = image_of(glass(0.0, 0, 200.0))
    light, foreign = measure_light(image, find_illumination(image))
    np.testing.assert_allclose(light, -np.log(200 / 255), rtol=1e-5)
    assert not foreign.any()


def test_light_of_a_dark_field_is_its_signal() -> None:
    image = fluorescence()
    light, _ = measure_light(image, find_illumination(image))
    inside = truth("HE")
    assert np.median(light[inside]) > 0.3 > np.percentile(light[~inside], 75)


@pytest.mark.parametrize("artefact", [BlackBorder((0.03, 0.02, 0.03, 0.04)), ScaleBar(600.0)])
def test_borders_and_scale_bars_are_not_tissue(artefact: Artefact) -> None:
    image = overview("HE", artefact)
    density, clean = tissue_density(image), tissue_density(overview("HE"))
    assert (density[image.pixels.max(axis=0) < 20] == 0).all()
    same = (image.pixels == overview("HE").pixels).all(axis=0) & truth("HE")
    assert np.abs(density[same] - clean[same]).mean() < 0.03


def test_a_dark_nucleus_is_tissue_and_a_black_speck_on_glass_is_not() -> None:
    rgb = np.full((3, 200, 200), 240, np.uint8)
    rgb[:, :, :100] = np.array([180, 150, 190], np.uint8)[:, None, None]
    rgb[:, 98:102, 48:52] = rgb[:, 98:102, 148:152] = 15
    ink = find_ink(rgb, optical_density(rgb).mean(0) - optical_density(rgb).mean(0).min())
    assert not ink[100, 50]
    assert ink[100, 150]


@pytest.mark.parametrize(
    "stained",
    [(130, 70, 140), (100, 110, 180), (70, 60, 130), (200, 90, 140), (120, 80, 50), (220, 80, 130)],
)
def test_common_stains_are_no_pens(stained: tuple[int, int, int]) -> None:
    """Haematoxylin in H&E, as counterstain and dense; eosin; DAB; erythrocytes."""
    assert not find_pen_colours(np.array(stained, np.uint8).reshape(3, 1, 1)).any()


def test_light_that_falls_off_is_evened_out() -> None:
    slide = section("HE")
    x, y = (
        c / size - 0.5
        for c, size in zip(compute_axis_centres(slide.frame), slide.frame.size_um, strict=True)
    )
    light = 1 - 0.25 * (x[None] ** 2 + y[:, None] ** 2) - 0.15 * x[None]
    plain = overview("HE")
    uneven = tissue_density(image_of(plain.pixels * light))
    outside = ~_near(truth("HE"))
    assert np.quantile(uneven[outside], 0.9) < 0.2
    assert np.abs(uneven - tissue_density(plain))[truth("HE")].mean() < 0.08


def test_stripes_of_light_do_not_hide_the_section() -> None:
    density = tissue_density(overview("HE", UnevenLight(0.06, seed=2)))
    assert np.abs(density - tissue_density(overview("HE")))[truth("HE")].mean() < 0.08


def test_a_shade_of_the_glass_is_taken_off_and_what_has_texture_stays() -> None:
    rng = np.random.default_rng(3)
    above = np.zeros((384, 384), np.float32)
    above[:, 96:160] = 0.04
    above[200:, 200:] += 0.05 + rng.normal(0, 0.03, (184, 184)).astype(np.float32)
    shade = estimate_remaining_shade(above, np.zeros(above.shape, bool))
    assert shade is not None
    np.testing.assert_allclose(shade[:180, 104:152], 0.04, atol=0.004)
    assert np.abs(shade[:180, 200:]).max() < 0.002
    assert np.abs(shade[240:, 240:]).max() < 0.02


def test_even_glass_has_no_shade() -> None:
    above = np.abs(np.random.default_rng(3).normal(0, 0.002, (384, 384))).astype(np.float32)
    assert estimate_remaining_shade(above, np.zeros(above.shape, bool)) is None
    assert estimate_remaining_shade(above, np.ones(above.shape, bool)) is None


def test_pixels_that_are_not_valid_are_background_and_change_nothing() -> None:
    plain = overview("HE")
    valid = plain.valid.copy()
    valid[:, : SIZE // 8] = False
    pixels = plain.pixels.copy()
    pixels[:, ~valid] = 0
    density = tissue_density(replace(plain, pixels=pixels, valid=valid))
    assert (density[~valid] == 0).all()
    clean = tissue_density(plain)
    assert np.abs(density - clean)[valid].mean() < 0.02


def test_nothing_valid_is_nothing() -> None:
    for image in (overview("HE"), fluorescence()):
        assert not tissue_density(replace(image, valid=np.zeros_like(image.valid))).any()


def test_bright_and_dark_fields_are_told_apart() -> None:
    assert is_brightfield(overview("HE", BlackBorder((0.2, 0.0, 0.0, 0.0))))
    assert not is_brightfield(fluorescence())
    assert not is_brightfield(image_of(glass(3, 0, level=15)))


def test_hot_pixels_and_empty_channels_do_not_rule_fluorescence() -> None:
    density, tissue = tissue_density(fluorescence()), truth("HE")
    assert np.median(density[tissue]) > 0.35
    assert np.median(density[~tissue]) < 0.25
    bright = tissue_density(fluorescence(noise=5.0))
    assert np.corrcoef(bright[tissue], density[tissue])[0, 1] > 0.9


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_any_number_of_channels_will_do(channels: int) -> None:
    source = fluorescence()
    pixels = np.concatenate([source.pixels[:1]] * channels)
    assert tissue_density(replace(source, pixels=pixels)).max() > 0.9


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 3), (16, 16)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_tiny_pictures_are_no_trouble(size: tuple[int, int], dtype: type) -> None:
    image = Image(np.full((3, *size), 100, dtype), Space("slide", *size).frame, np.ones(size, bool))
    np.testing.assert_array_equal(tissue_density(image), np.zeros(size))


def test_a_blank_slide_has_no_density() -> None:
    assert not tissue_density(image_of(np.full((3, HEIGHT, WIDTH), 200.0))).any()


def _near(mask: Mask) -> Mask:
    from scipy.ndimage import binary_dilation

    return np.asarray(binary_dilation(mask, iterations=12))
