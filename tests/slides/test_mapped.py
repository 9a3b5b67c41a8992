"""A slide whose every read goes through a function."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np

from stainbridge.imaging.image import Image
from stainbridge.slides import ArraySlide, Slide
from stainbridge.slides.mapped import MappedSlide


def invert(image: Image) -> Image:
    return replace(image, pixels=255 - image.pixels)


def keep_first_channel(image: Image) -> Image:
    return replace(image, pixels=image.pixels[:1])


def make_slide() -> ArraySlide:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 40, 50), np.uint8)
    return ArraySlide(pixels, 0.5, "a.png", "HE")


def test_every_read_goes_through_the_map() -> None:
    slide = make_slide()
    mapped = MappedSlide(slide, invert)
    assert isinstance(mapped, Slide)
    assert (mapped.frame, mapped.levels, mapped.stain) == (slide.frame, slide.levels, "HE")
    for frame in (slide.frame, slide.frame.fit(13), slide.frame.crop(5, 6, 20, 10)):
        np.testing.assert_array_equal(mapped.read(frame).pixels, 255 - slide.read(frame).pixels)
    assert mapped.info.is_rgb
    assert repr(mapped) == "<MappedSlide 'a.png': 50 x 40 px, 0.5 µm/px, HE, RGB, mapped array>"


def test_its_channels_are_those_of_the_map() -> None:
    grey = MappedSlide(make_slide(), keep_first_channel)
    assert [channel.name for channel in grey.info.channels] == ["grey"]
    assert grey.read(grey.frame).pixels.shape == (1, 40, 50)


def test_a_copy_reads_equal_pixels_in_an_equal_space() -> None:
    mapped = MappedSlide(make_slide(), invert)
    copy = pickle.loads(pickle.dumps(mapped))
    assert copy.frame == mapped.frame
    np.testing.assert_array_equal(copy.read(copy.frame).pixels, mapped.read(mapped.frame).pixels)
