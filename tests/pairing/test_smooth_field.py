"""A smooth field follows what windows agree on."""

from __future__ import annotations

import numpy as np

from stainbridge.pairing.smooth_field import (
    Roughness,
    fit_field_and_error,
    fit_layered_field,
    fit_smooth_field,
)


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


def test_a_quadratic_field_is_kept_by_the_third_order() -> None:
    y, x = np.mgrid[:9, :12].astype(float)
    shifts = np.stack([0.3 * x * x - y, 0.2 * x * y])
    deviations = np.ones((9, 12))
    fitted = fit_smooth_field(shifts, deviations, 1e-3, order=3)
    np.testing.assert_allclose(fitted, shifts, atol=0.05)
    assert np.abs(fit_smooth_field(shifts, deviations, 1e-3) - shifts).max() > 1


def test_noise_is_left_out_and_a_tear_is_followed() -> None:
    rng = np.random.default_rng(0)
    truth = make_ramp(24, 30)
    truth[1, 12:18, 10:] += 14.0  # half of the tissue gapes
    noise = rng.normal(size=truth.shape)
    fitted = fit_layered_field(truth + noise, np.ones((24, 30)), Roughness(0.05, 6.0))
    error = np.hypot(*(fitted - truth))
    assert np.median(error[:9]) < 0.5
    assert np.median(error[14:16, 14:]) < 3
    followed = fit_smooth_field(truth + noise, np.ones((24, 30)), 6.0)
    assert np.median(np.hypot(*(followed - truth))[:9]) > 0.7


def test_a_field_without_windows_is_none() -> None:
    nothing = np.full((5, 6), np.inf)
    assert not fit_layered_field(np.ones((2, 5, 6)), nothing, Roughness(1.0, 1.0)).any()


def test_the_error_of_a_field_is_about_as_long_as_it_errs() -> None:
    rng = np.random.default_rng(1)
    truth = make_ramp(36, 40)
    spread = np.ones((36, 40))
    spread[:, 20:] = 4.0  # what windows do not know of themselves
    given = truth + spread * rng.normal(size=truth.shape)
    field, error = fit_field_and_error(given, np.ones((36, 40)), Roughness(0.05, 6.0))
    np.testing.assert_array_equal(
        field, fit_layered_field(given, np.ones((36, 40)), Roughness(0.05, 6.0))
    )
    missed = np.hypot(*(field - truth))
    for part in (np.s_[:, :16], np.s_[:, 24:]):
        assert 0.5 < error[part].mean() / missed[part].mean() < 2
    assert error[:, 24:].mean() > 2 * error[:, :16].mean()


def test_a_field_is_less_sure_where_there_are_no_windows() -> None:
    rng = np.random.default_rng(2)
    deviations = np.ones((20, 30))
    deviations[:, 20:] = np.inf
    given = make_ramp(20, 30) + rng.normal(size=(2, 20, 30))
    _, error = fit_field_and_error(given, deviations, Roughness(0.05, 6.0))
    assert error[:, 28:].mean() > 3 * error[:, 5:15].mean()
