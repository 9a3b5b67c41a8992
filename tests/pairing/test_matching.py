"""Windows find how far pictures are shifted, and say where they cannot know."""

from __future__ import annotations

import numpy as np
import pytest
from tests.pairing.texture import draw_texture, shift_texture

from stainbridge.pairing.matching import extract_features, find_peak, match_windows

CENTRES = np.array([[100, 110], [150, 140]])


def match(fixed: np.ndarray, moving: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return shifts and deviations of two windows."""
    found = match_windows(extract_features(fixed), extract_features(moving), CENTRES, 96, 12)
    return found.shifts_px, found.deviations_px


@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.0, -2.0), (5.4, 7.3)])
def test_windows_find_a_shift_to_a_fraction_of_a_pixel(shift: tuple[float, float]) -> None:
    fixed = draw_texture(256)
    shifts, deviations = match(fixed, shift_texture(fixed, *shift))
    np.testing.assert_allclose(shifts, [shift, shift], atol=0.2)
    assert (deviations < 1).all()


def test_other_tissue_leaves_windows_unsure() -> None:
    fixed = draw_texture(256)
    _, sure = match(fixed, fixed)
    _, unsure = match(fixed, draw_texture(256, seed=9))
    assert (unsure > 3 * sure).all()


def test_a_window_on_glass_tells_nothing() -> None:
    fixed = draw_texture(256)
    _, deviations = match(fixed, np.zeros_like(fixed))
    assert np.isinf(deviations).all()


def test_two_equal_peaks_are_as_uncertain_as_they_are_apart() -> None:
    one = np.zeros((21, 21), np.float32)
    one[10, 10] = 0.9
    two = one.copy()
    two[10, 18] = 0.9
    assert find_peak(one, 200.0)[2] < 0.5
    assert find_peak(two, 200.0)[2] > 3
