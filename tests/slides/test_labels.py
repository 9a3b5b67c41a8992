"""Pictures of labels are told from pictures of tissue."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import texture

from stainbridge.slides.labels import is_label_slide
from stainbridge.slides.memory import ArraySlide


def draw_labels(count: int, seed: int, dtype: str, size: int = 300) -> np.ndarray:
    """Return (1, H, W): discs of different labels."""
    generator = np.random.default_rng(seed)
    picture = np.zeros((size, size), np.int32)
    for label in range(1, count + 1):
        x, y = (int(value) for value in generator.integers(0, size, 2))
        cv2.circle(picture, (x, y), int(generator.integers(5, 30)), label, -1)
    return picture[None].astype(dtype)


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(3, 30),
    seed=st.integers(0, 99),
    dtype=st.sampled_from(["uint8", "uint16", "int32"]),
)
def test_few_values_in_flat_areas_are_labels(count: int, seed: int, dtype: str) -> None:
    assert is_label_slide(ArraySlide(draw_labels(count, seed, dtype)))


def test_many_labels_are_told_by_the_name() -> None:
    row = np.arange(400, dtype=np.uint16) // 8  # neighbours differ by one, as in a smooth picture
    pixels = np.broadcast_to(row, (1, 300, 400)).copy()
    assert not is_label_slide(ArraySlide(pixels, name="cells.tif"))
    for name in ("nuclei-labels.tif", "x_label.png", "Mask.png", "he.seg.tif"):
        assert is_label_slide(ArraySlide(pixels, name=name))
    assert not is_label_slide(ArraySlide(pixels, name="labelled-unmasked.tif"))


def test_colours_of_labels_are_labels() -> None:
    colours = np.random.default_rng(0).integers(0, 255, (8, 3)).astype(np.uint8)
    pixels = np.moveaxis(colours[draw_labels(7, 0, "uint8")[0]], -1, 0)
    assert is_label_slide(ArraySlide(pixels))


@pytest.mark.parametrize("name", ["slide.tif", "mask.tif"])
def test_tissue_is_none_whatever_its_name(name: str) -> None:
    picture = np.moveaxis(texture(400, 500, 3), -1, 0)
    assert not is_label_slide(ArraySlide(picture, name=name))
    assert not is_label_slide(ArraySlide(picture[:1], name=name))
    assert not is_label_slide(ArraySlide(picture[:1] // 16, name=name))  # 16 values, noisy
    assert not is_label_slide(ArraySlide(picture[:1].astype(np.float32), name=name))
    assert not is_label_slide(ArraySlide(np.full((3, 50, 60), 255, np.uint8), name=name))


def test_tissue_that_is_small_on_blank_glass_is_none() -> None:
    pixels = np.full((3, 2000, 2600), 255, np.uint8)
    pixels[0, ::7, ::9] = 254
    pixels[:, 700:760, 1100:1170] = np.moveaxis(texture(60, 70, 3), -1, 0)
    assert not is_label_slide(ArraySlide(pixels, name="slide.tif"))


def draw_objects(seed: int, radius_px: int, gap: bool, size: int = 400) -> np.ndarray:
    """Return (H, W): a number for each of many discs; with a gap none touches another."""
    generator = np.random.default_rng(seed)
    picture = np.zeros((size, size), np.int32)
    step = 2 * radius_px + 3
    places = [(x, y) for y in range(step, size, step) for x in range(step, size, step)]
    shift = 0 if gap else radius_px
    numbers = generator.permutation(len(places)) + 1
    for number, (x, y) in zip(numbers, places, strict=True):
        dx, dy = generator.integers(-shift, shift + 1, 2)
        cv2.circle(picture, (int(x + dx), int(y + dy)), radius_px, int(number), -1)
    return picture


@pytest.mark.parametrize("dtype", ["uint16", "int32", "uint32", "float32"])
@pytest.mark.parametrize("gap", [True, False])
@pytest.mark.parametrize("radius_px", [4, 9])
def test_many_numbered_objects_are_labels(dtype: str, gap: bool, radius_px: int) -> None:
    objects = draw_objects(1, radius_px, gap).astype(dtype)
    assert is_label_slide(ArraySlide(objects[None]))


def test_objects_in_colours_are_labels() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (2000, 3)).astype(np.uint8)
    pixels = colours[draw_objects(2, 6, False)].transpose(2, 0, 1)
    assert is_label_slide(ArraySlide(np.ascontiguousarray(pixels)))


@settings(deadline=None, max_examples=30)
@given(
    sigma=st.floats(2, 40),
    most=st.sampled_from([60, 255, 4000]),
    cut=st.floats(0, 0.7),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 99),
)
def test_smooth_or_clipped_pictures_are_no_labels(
    sigma: float, most: int, cut: float, channels: int, seed: int
) -> None:
    noise = np.random.default_rng(seed).normal(size=(300, 300, channels)).astype(np.float32)
    smooth = np.atleast_3d(cv2.GaussianBlur(noise, (0, 0), sigma))
    share = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    values = np.clip((share - cut) / (1 - cut), 0, 1) * most
    dtype = np.uint16 if most > 255 else np.uint8
    pixels = np.ascontiguousarray(values.astype(dtype).transpose(2, 0, 1))
    assert not is_label_slide(ArraySlide(pixels))
