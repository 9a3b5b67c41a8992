"""Pixels that are not finite are hidden, counted, and harm no others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.imaging.pictures import overview

from stainbridge.imaging.colour import tissue_density
from stainbridge.imaging.unreadable import hide_unreadable, measure_unreadable


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_hidden_and_counted(value: float) -> None:
    image = overview("HE")
    pixels = image.pixels.astype(np.float32) / 255
    pixels[1, 40:44, 50:55] = value
    broken = replace(image, pixels=pixels)
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
