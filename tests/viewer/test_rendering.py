from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.conftest import Sample

from stainbridge.errors import InputError
from stainbridge.slides.open import open_slide
from stainbridge.viewer.rendering import (
    STAINS,
    Rendering,
    choose_channel_views,
    parse_rendering,
    render,
)


def test_rgb_is_shown_as_it_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    np.testing.assert_array_equal(render(pixels, Rendering()), pixels)


@pytest.mark.parametrize("stain", STAINS)
def test_a_stain_alone_has_its_colour_and_the_other_stain_vanishes(stain: str) -> None:
    first, second, shown = STAINS[stain]
    own, other = (first, second) if shown == 0 else (second, first)
    pixels = np.array([[_absorb(own), _absorb(other), (255, 255, 255)]], np.uint8)
    picture = render(pixels, parse_rendering(stain, "ff8000"))[0].astype(int)
    assert np.abs(picture[0] - (255, 128, 0)).max() <= 4
    assert picture[1].min() >= 250
    assert picture[2].min() >= 250


def _absorb(stain: tuple[float, float, float]) -> np.ndarray:
    """The colour that a density of 1 of a stain leaves of white."""
    return np.rint(255 * 10 ** (-np.array(stain) / np.linalg.norm(stain)))


def test_channels_are_windowed_coloured_and_summed() -> None:
    pixels = np.array([[[100, 0], [200, 50], [300, 100], [150, 100]]], np.uint16)
    rendering = parse_rendering(channels="0:ff0000:100:300,1:00ff00:0:100")
    expected = [[0, 0, 0], [128, 128, 0], [255, 255, 0], [64, 255, 0]]
    np.testing.assert_array_equal(render(pixels, rendering)[0], expected)


@pytest.mark.parametrize(
    "words",
    [
        {"stain": "safranin"},
        {"stain": "dab", "colour": "red"},
        {"channels": "0:ff0000:5:5"},
        {"channels": "0:ff0000:1:nan"},
        {"channels": "0:ff0000:1e999:1e9999"},
        {"channels": "-1:ff0000:0:5"},
        {"channels": "0:ff0000:--1:5"},
        {"channels": ",".join(["0:ffffff:0:1"] * 65)},
    ],
)
def test_other_words_are_refused(words: dict[str, str]) -> None:
    with pytest.raises(InputError):
        parse_rendering(**words)


def test_a_channel_that_the_slide_lacks_is_refused() -> None:
    with pytest.raises(InputError, match="no such channel"):
        render(np.zeros((2, 2, 2), np.uint16), parse_rendering(channels="2:ffffff:0:1"))
    with pytest.raises(InputError, match="not RGB"):
        render(np.zeros((2, 2, 2), np.uint16), Rendering())


def test_fluorescence_gets_the_files_colours_and_windows_of_its_values(
    samples: dict[str, Sample],
) -> None:
    with open_slide(samples["ome fluorescence"].path) as slide:
        views = choose_channel_views(slide)
        values = slide.read(slide.frame).pixels
    assert [view.colour for view in views][:3] == [(0, 0, 255), (0, 255, 0), (255, 0, 0)]
    for view, plane in zip(views, values, strict=True):
        assert plane.min() <= view.low < view.high <= plane.max()


def test_rgb_has_no_channels_to_choose(tmp_path: Path, samples: dict[str, Sample]) -> None:
    with open_slide(samples["png"].path) as slide:
        assert choose_channel_views(slide) == ()
