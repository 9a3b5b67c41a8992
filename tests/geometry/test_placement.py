"""Unregistered slides: corner on corner, in the finest unit that both are known in."""

from __future__ import annotations

import numpy as np

from stainbridge.geometry.frame import Space
from stainbridge.geometry.placement import place_unregistered

FINE = Space("fine", 40, 30, (0.25, 0.25))
COARSE = Space("coarse", 20, 50, (0.5, 0.5))
UNKNOWN = Space("unknown", 60, 70, calibrated=False)
POINTS_UM = np.array([[0.0, 0.0], [4.0, 3.0]])


def test_calibrated_slides_lie_micrometre_on_micrometre() -> None:
    placed = place_unregistered(FINE, COARSE)
    assert (placed.source, placed.target) == (FINE, COARSE)
    assert np.array_equal(placed(POINTS_UM), POINTS_UM)


def test_slides_without_a_size_lie_pixel_on_pixel() -> None:
    other = Space("other", 10, 10, calibrated=False)
    assert np.array_equal(place_unregistered(UNKNOWN, other)(POINTS_UM), POINTS_UM)


def test_where_one_has_no_size_pixels_lie_on_pixels_whatever_the_extents() -> None:
    pixels = FINE.frame.to_px(POINTS_UM)
    placed = place_unregistered(FINE, UNKNOWN)(POINTS_UM)
    np.testing.assert_array_equal(UNKNOWN.frame.to_px(placed), pixels)
    back = place_unregistered(UNKNOWN, FINE)(UNKNOWN.frame.to_um(pixels))
    np.testing.assert_array_equal(back, POINTS_UM)
