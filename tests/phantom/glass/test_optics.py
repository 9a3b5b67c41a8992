"""Air bubbles, and parts out of focus."""

from __future__ import annotations

import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Space
from stainbridge.phantom.glass.artefacts import Artefact
from stainbridge.phantom.glass.optics import Bubble, OutOfFocus

SLIDE = Space("slide", 400, 500, (4.0, 4.0)).frame


def make_speckles() -> np.ndarray:
    return np.random.default_rng(3).uniform(0.3, 0.9, (400, 500, 3)).astype(np.float32)


@pytest.mark.parametrize("artefact", [Bubble((0.5, 0.5), 0.2), OutOfFocus(12.0, 0.5, seed=1)])
def test_an_artefact_is_where_it_is_however_it_is_read(artefact: Artefact) -> None:
    whole = make_speckles()
    artefact.apply(whole, SLIDE, SLIDE)
    assert np.abs(whole - make_speckles()).max() > 0.05
    part = SLIDE.crop(120, 100, 180, 160)
    margin = artefact.reach_px(part)
    light = make_speckles()[100 - margin : 260 + margin, 120 - margin : 300 + margin]
    artefact.apply(light, part.crop(-margin, -margin, 180 + 2 * margin, 160 + 2 * margin), SLIDE)
    inner = light[margin : margin + 160, margin : margin + 180]
    np.testing.assert_allclose(inner, whole[100:260, 120:300], atol=2e-3)


@pytest.mark.parametrize(
    ("share", "low", "high"), [(0.0, 0.0, 0.15), (0.5, 0.2, 0.8), (1.0, 0.85, 1.0)]
)
def test_about_the_asked_share_is_out_of_focus(share: float, low: float, high: float) -> None:
    light = make_speckles()
    OutOfFocus(20.0, share, seed=2).apply(light, SLIDE, SLIDE)
    assert low <= (np.abs(light - make_speckles()).max(axis=2) > 0.1).mean() <= high


def test_a_bubble_has_a_dark_rim_and_is_pale_inside() -> None:
    light = np.full((400, 500, 3), 0.5, np.float32)
    Bubble((0.5, 0.5), 0.2).apply(light, SLIDE, SLIDE)
    assert light.min() < 0.25
    assert light[200, 250].mean() > 0.55
    assert light[5, 5].mean() == 0.5


def test_impossible_optics_are_refused() -> None:
    for make in (
        lambda: Bubble((0.5, 0.5), 0.0),
        lambda: OutOfFocus(0.0),
        lambda: OutOfFocus(1.0, 1.5),
    ):
        with pytest.raises(InputError):
            make()
