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
    pixels = draw_labels(400, 0, "uint16")
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
