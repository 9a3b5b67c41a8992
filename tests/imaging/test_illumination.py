"""Bright and dark field are told by the light, whatever the type and scale of the values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.imaging.pictures import fluorescence, glass, image_of, overview, truth

from stainbridge.imaging.colour import tissue_density
from stainbridge.imaging.illumination import (
    find_glare,
    find_illumination,
    find_signal_range,
    hide_unreadable,
    is_brightfield,
    measure_unreadable,
)
from stainbridge.imaging.image import Image
from stainbridge.imaging.tissue import tissue_region
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.types import Pixels


def with_pixels(image: Image, pixels: Pixels) -> Image:
    return replace(image, pixels=pixels)


SCALES = {
    "16 bits": lambda pixels: pixels.astype(np.uint16) * 257,
    "12 bits": lambda pixels: pixels.astype(np.uint16) * 16,
    "bytes in 16 bits": lambda pixels: pixels.astype(np.uint16),
    "0 to 1": lambda pixels: pixels.astype(np.float32) / 255,
    "0 to 255": lambda pixels: pixels.astype(np.float64),
}


@pytest.mark.parametrize("scale", SCALES)
def test_a_bright_field_of_any_scale_has_the_density_of_its_bytes(scale: str) -> None:
    image = overview("HE")
    other = with_pixels(image, SCALES[scale](image.pixels))
    assert is_brightfield(other)
    assert np.abs(tissue_density(other) - tissue_density(image)).max() < 0.06


def test_an_unusual_scale_is_that_of_its_brightest_light() -> None:
    image = overview("HE")
    odd = with_pixels(image, image.pixels.astype(np.float32) * 1.3)
    assert is_brightfield(odd)
    corr = np.corrcoef(tissue_density(odd).ravel(), tissue_density(image).ravel())[0, 1]
    assert corr > 0.99


def test_a_grey_bright_field_shows_the_tissue_of_its_colours() -> None:
    image = overview("HE")
    grey = with_pixels(image, image.pixels.mean(axis=0, keepdims=True).round().astype(np.uint8))
    assert is_brightfield(grey)
    tissue = truth("HE")
    assert np.corrcoef(tissue_density(grey)[tissue], tissue_density(image)[tissue])[0, 1] > 0.9
    assert np.median(tissue_density(grey)[~tissue]) < 0.1  # a grey level


@pytest.mark.parametrize("full", [1.0, 4095.0, 1e5])
def test_a_dark_field_of_any_scale_stays_dark(full: float) -> None:
    image = fluorescence()
    other = with_pixels(image, image.pixels * np.float32(full / image.pixels.max()))
    assert not is_brightfield(other)
    assert np.abs(tissue_density(other) - tissue_density(image)).max() < 1e-3


def test_an_offset_of_the_camera_and_many_channels_make_no_bright_field() -> None:
    signal = fluorescence().pixels[:1].astype(np.uint16)
    offset = with_pixels(fluorescence(), signal * 4 + 300)
    assert not is_brightfield(offset)
    many = np.repeat(overview("HE").pixels[:1], 5, axis=0)
    assert not is_brightfield(with_pixels(overview("HE"), many))
    assert not is_brightfield(image_of(glass(3, 0, level=0)))


def test_bytes_of_bright_field_are_handed_on_as_they_are() -> None:
    image = overview("HE")
    light = find_illumination(image)
    assert light.white == 255
    np.testing.assert_array_equal(light.to_bytes(image.pixels), image.pixels)
    grey = light.to_bytes(image.pixels[:1])
    np.testing.assert_array_equal(grey, np.repeat(image.pixels[:1], 3, axis=0))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_hidden_and_counted(value: float) -> None:
    image = overview("HE")
    pixels = image.pixels.astype(np.float32) / 255
    pixels[1, 40:44, 50:55] = value
    broken = with_pixels(image, pixels)
    assert measure_unreadable(broken) == pytest.approx(20 / image.valid.size)
    hidden = hide_unreadable(broken)
    assert not hidden.valid[40:44, 50:55].any()
    assert hidden.valid.sum() == image.valid.sum() - 20
    density = tissue_density(broken)
    assert (density[40:44, 50:55] == 0).all()
    away = np.ones(density.shape, bool)
    away[30:55, 40:65] = False
    assert np.abs(density - tissue_density(image))[away].max() < 0.06
    assert hide_unreadable(image) is image
    assert measure_unreadable(image) == 0


def test_a_saturated_corner_of_a_dark_field_is_not_tissue_and_hides_none() -> None:
    image = fluorescence()
    pixels = image.pixels.copy()
    side = round(np.sqrt(0.007 * image.valid.size))
    pixels[:, :side, :side] = 65535
    broken = with_pixels(image, pixels)
    assert not is_brightfield(broken)
    density = tissue_density(broken)
    assert (density[:side, :side] == 0).all()
    away = np.ones(density.shape, bool)
    away[: side + 6, : side + 6] = False
    assert np.abs(density - tissue_density(image))[away].mean() < 0.02
    assert find_glare(pixels[0], image.valid)[:side, :side].all()
    assert not find_glare(image.pixels[0], image.valid).any()


def test_a_signal_that_saturates_keeps_its_range() -> None:
    rng = np.random.default_rng(0)
    values = np.r_[rng.integers(5, 10, 900), np.full(100, 255)]
    assert find_signal_range(values)[1] == 255
    few = np.r_[rng.integers(5, 10, 990), np.full(10, 255)]
    assert find_signal_range(few)[1] < 10


@pytest.mark.parametrize("stain", ["PanCK", "HE"])
def test_a_pale_field_without_glass_is_tissue(stain: str) -> None:
    slide = generate_pair(
        seed=5, size_px=600, mpp=2.0, fixed_stain=stain, difficulty="easy", landmarks=0
    ).fixed
    strong = slide.read(slide.frame.crop(200, 200, 200, 200))
    pale = (255 - (255 - strong.pixels.astype(float)) * 0.12).round().astype(np.uint8)
    assert tissue_region(tissue_density(with_pixels(strong, pale))).mean() > 0.2
