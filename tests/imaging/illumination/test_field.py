"""Bright and dark field are told by the light, whatever the type and scale of the values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.imaging.pictures import fluorescence, glass, image_of, overview, truth

from stainbridge.imaging.colour import tissue_density
from stainbridge.imaging.illumination.field import find_illumination, is_brightfield
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


@pytest.mark.parametrize("stain", ["PanCK", "HE"])
def test_a_pale_field_without_glass_is_tissue(stain: str) -> None:
    slide = generate_pair(
        seed=5, size_px=600, mpp=2.0, fixed_stain=stain, difficulty="easy", landmarks=0
    ).fixed
    strong = slide.read(slide.frame.crop(200, 200, 200, 200))
    pale = (255 - (255 - strong.pixels.astype(float)) * 0.12).round().astype(np.uint8)
    assert tissue_region(tissue_density(with_pixels(strong, pale))).mean() > 0.2


@pytest.mark.parametrize("glass", [0.08, 0.3])
def test_tissue_that_is_nearly_black_lies_in_a_bright_field(glass: float) -> None:
    pixels = np.random.default_rng(0).uniform(0, 30, (3, 200, 200))
    pixels[:, : round(200 * glass)] = 240
    assert is_brightfield(image_of(pixels))
    pixels[:, 4:] = pixels[:, 100:101]
    assert not is_brightfield(image_of(pixels))
