"""Bubbles, blur and JPEG."""

from __future__ import annotations

import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Space
from stainbridge.phantom.glass import jpeg
from stainbridge.phantom.glass.artefacts import Artefact
from stainbridge.phantom.glass.optics import Bubble, OutOfFocus

SLIDE = Space("slide", 400, 500, (4.0, 4.0)).frame


def speckled() -> np.ndarray:
    return np.random.default_rng(3).uniform(0.3, 0.9, (400, 500, 3)).astype(np.float32)


@pytest.mark.parametrize("artefact", [Bubble((0.5, 0.5), 0.2), OutOfFocus(12.0, 0.5, seed=1)])
def test_an_artefact_is_where_it_is_however_it_is_read(artefact: Artefact) -> None:
    whole = speckled()
    artefact.apply(whole, SLIDE, SLIDE)
    assert np.abs(whole - speckled()).max() > 0.05
    part = SLIDE.crop(120, 100, 180, 160)
    reach = artefact.reach_px(part)
    light = speckled()[100 - reach : 260 + reach, 120 - reach : 300 + reach]
    artefact.apply(light, part.crop(-reach, -reach, 180 + 2 * reach, 160 + 2 * reach), SLIDE)
    inner = light[reach : reach + 160, reach : reach + 180]
    np.testing.assert_allclose(inner, whole[100:260, 120:300], atol=2e-3)


@pytest.mark.parametrize(
    ("share", "low", "high"), [(0.0, 0.0, 0.15), (0.5, 0.2, 0.8), (1.0, 0.85, 1.0)]
)
def test_about_the_asked_share_is_out_of_focus(share: float, low: float, high: float) -> None:
    light = speckled()
    OutOfFocus(20.0, share, seed=2).apply(light, SLIDE, SLIDE)
    assert low <= (np.abs(light - speckled()).max(axis=2) > 0.1).mean() <= high


def test_a_bubble_has_a_dark_rim_and_is_pale_inside() -> None:
    light = np.full((400, 500, 3), 0.5, np.float32)
    Bubble((0.5, 0.5), 0.2).apply(light, SLIDE, SLIDE)
    assert light.min() < 0.25
    assert light[200, 250].mean() > 0.55
    assert light[5, 5].mean() == 0.5


def test_jpeg_does_not_depend_on_what_is_read() -> None:
    rng = np.random.default_rng(1)
    pixels = np.clip(rng.normal(180, 30, (200, 200, 3)), 0, 255).astype(np.uint8)
    frame = Space("slide", 200, 200, (1.0, 1.0)).frame
    whole = jpeg.apply_jpeg(pixels.copy(), frame, 50)
    assert 3 < np.abs(whole.astype(float) - pixels).mean() < 40
    reach = jpeg.MARGIN_PX
    part = jpeg.apply_jpeg(pixels[37:160, 21:150].copy(), frame.crop(21, 37, 129, 123), 50)
    np.testing.assert_array_equal(
        part[reach:-reach, reach:-reach], whole[37 + reach : 160 - reach, 21 + reach : 150 - reach]
    )


def test_impossible_optics_are_refused() -> None:
    for make in (
        lambda: Bubble((0.5, 0.5), 0.0),
        lambda: OutOfFocus(0.0),
        lambda: OutOfFocus(1.0, 1.5),
    ):
        with pytest.raises(InputError):
            make()
