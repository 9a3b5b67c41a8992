"""A smooth field follows what windows agree on."""

from __future__ import annotations

import numpy as np

from stainbridge.pairing.smooth_field import fit_smooth_field


def make_ramp(height: int, width: int) -> np.ndarray:
    """Return linear displacements (2, height, width)."""
    y, x = np.mgrid[:height, :width].astype(float)
    return np.stack([0.5 * x - 3, 2 - 0.3 * y])


def test_a_linear_field_is_kept_and_continued_over_gaps() -> None:
    shifts = make_ramp(9, 12)
    deviations = np.ones((9, 12))
    deviations[:, 8:] = np.inf
    given = shifts.copy()
    given[:, :, 8:] = 77.0
    np.testing.assert_allclose(fit_smooth_field(given, deviations, 1.0), shifts, atol=0.05)


def test_a_wrong_window_does_not_pull_the_field() -> None:
    shifts = make_ramp(9, 12)
    given = shifts.copy()
    given[:, 4, 5] += 60
    fitted = fit_smooth_field(given, np.full((9, 12), 0.5), 0.5)
    assert np.abs(fitted - shifts).max() < 0.5


def test_sure_windows_count_more() -> None:
    shifts = np.zeros((2, 1, 2))
    shifts[0, 0] = (0.0, 1.0)
    deviations = np.array([[0.1, 3.0]])
    fitted = fit_smooth_field(np.repeat(shifts, 3, 1), np.repeat(deviations, 3, 0), 1.0)
    assert np.abs(fitted[0, :, 0]).max() < 0.05
