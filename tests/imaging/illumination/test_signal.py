"""Glare at the border of a dark channel hides nothing else, and a signal keeps its range."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.imaging.pictures import fluorescence

from stainbridge.imaging.colour import tissue_density
from stainbridge.imaging.illumination.field import is_brightfield
from stainbridge.imaging.illumination.signal import find_glare, find_signal_range


def test_a_saturated_corner_of_a_dark_field_is_not_tissue_and_hides_none() -> None:
    image = fluorescence()
    pixels = image.pixels.copy()
    side = round(np.sqrt(0.007 * image.valid.size))
    pixels[:, :side, :side] = 65535
    broken = replace(image, pixels=pixels)
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
