"""A path, a slide or a numpy array where a slide is expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import Sample

from stainbridge.errors import InputError
from stainbridge.slides import ArraySlide, Slide
from stainbridge.slides.coerce import as_slide


def draw_pixels(*shape: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def read_whole(slide: Slide) -> np.ndarray[Any, Any]:
    """Full-resolution pixels, (C, H, W)."""
    return slide.read(slide.frame).pixels


def test_a_path_is_opened(samples: dict[str, Sample]) -> None:
    path = samples["png"].path
    for source in (path, str(path)):
        with as_slide(source, 0.7) as slide:
            assert slide.info.path == str(path)
            assert slide.frame.mpp == (0.7, 0.7)


def test_a_slide_is_returned_as_it_is() -> None:
    slide = ArraySlide(draw_pixels(3, 40, 50))
    assert as_slide(slide) is slide
    with pytest.raises(InputError, match=r"mpp is for paths and arrays.*got 0\.5"):
        as_slide(slide, 0.5)


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 1), (1, 40, 50)])
def test_grey_arrays(shape: tuple[int, ...]) -> None:
    pixels = draw_pixels(*shape)
    slide = as_slide(pixels, 0.5, name="grey")
    assert slide.info.channels[0].name == "grey"
    assert (slide.frame.label, slide.frame.mpp, slide.frame.calibrated) == (
        "grey",
        (0.5, 0.5),
        True,
    )
    np.testing.assert_array_equal(read_whole(slide), pixels.reshape(1, 40, 50))


def test_colour_arrays_have_their_channels_last_or_first() -> None:
    pixels = draw_pixels(40, 50, 3)
    last = as_slide(pixels)
    first = as_slide(np.moveaxis(pixels, -1, 0))
    assert last.info.is_rgb
    assert first.info.is_rgb
    assert not last.frame.calibrated
    np.testing.assert_array_equal(read_whole(last), read_whole(first))


def test_alpha_is_shown_over_white() -> None:
    pixels = draw_pixels(40, 50, 4)
    pixels[..., 3] = 255
    pixels[:20, :, 3] = 0
    shown = read_whole(as_slide(pixels))
    assert (shown[:, :20] == 255).all()
    np.testing.assert_array_equal(shown[:, 20:], np.moveaxis(pixels[20:, :, :3], -1, 0))


def test_fluorescence_arrays_have_any_number_of_channels_first() -> None:
    pixels = np.random.default_rng(0).random((8, 40, 50), np.float32)
    slide = as_slide(pixels)
    assert len(slide.info.channels) == 8
    np.testing.assert_array_equal(read_whole(slide), pixels)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((3, 50, 3), "channels may be the first axis or the last"),
        ((4, 4, 4), "channels may be the first axis or the last"),
        ((40, 50, 8), "not a picture"),
        ((50,), "not a picture"),
        ((2, 3, 40, 50), "not a picture"),
        ((0, 50), "not a picture"),
        ((40, 0, 3), "not a picture"),
    ],
)
def test_other_shapes_are_refused_in_one_line(shape: tuple[int, ...], reason: str) -> None:
    with pytest.raises(InputError, match=f"^fixed: {reason}; expected .*; got shape ") as caught:
        as_slide(np.zeros(shape, np.uint8), name="fixed")
    assert "\n" not in str(caught.value)


def test_floats_that_look_like_a_colour_picture_are_refused() -> None:
    with pytest.raises(InputError, match=r"8 bits.*float64 of shape \(40, 50, 3\).*astype"):
        as_slide(np.zeros((40, 50, 3)))


@pytest.mark.parametrize("dtype", [bool, complex, object, "U3"])
def test_arrays_of_no_numbers_are_refused(dtype: Any) -> None:
    with pytest.raises(InputError, match="pixels must be numbers"):
        as_slide(np.zeros((40, 50), dtype))


@pytest.mark.parametrize("source", [None, 3, [[1, 2], [3, 4]], b"a.png"])
def test_what_is_no_slide_is_named(source: Any) -> None:
    with pytest.raises(
        InputError, match=f"a path, a slide or a numpy array; got {type(source).__name__}"
    ):
        as_slide(source)


@pytest.mark.parametrize("mpp", [0.0, -1.0, float("nan")])
def test_a_pixel_size_is_positive(mpp: float) -> None:
    with pytest.raises(InputError, match="pixel size must be positive"):
        as_slide(np.zeros((40, 50), np.uint8), mpp)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.svs: no such file"):
        as_slide(tmp_path / "a.svs")
