from __future__ import annotations

import cv2
import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.imaging.agreement import local_agreement


@pytest.fixture
def density() -> np.ndarray:
    noise = np.random.default_rng(1).normal(size=(120, 160)).astype(np.float32)
    blobs = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.clip(0.5 + 2 * blobs, 0, 1)


def test_a_picture_agrees_with_itself_whatever_its_gain(density: np.ndarray) -> None:
    agreement = local_agreement(density, 0.5 * density + 0.2, 21)
    np.testing.assert_allclose(agreement[np.isfinite(agreement)], 1, atol=1e-3)
    opposite = local_agreement(density, 1 - density, 21)
    np.testing.assert_allclose(opposite[np.isfinite(opposite)], -1, atol=1e-3)


def test_only_the_shifted_half_disagrees(density: np.ndarray) -> None:
    shifted = density.copy()
    shifted[:, 80:] = np.roll(density, 15, axis=0)[:, 80:]
    agreement = local_agreement(density, shifted, 21)
    assert np.nanmedian(agreement[:, :65]) > 0.99
    assert np.nanmedian(agreement[:, 95:]) < 0.5


def test_where_nothing_shows_nothing_is_said(density: np.ndarray) -> None:
    blank = density.copy()
    blank[:60] = 0
    agreement = local_agreement(density, blank, 21)
    assert np.isnan(agreement[:45]).all()
    assert np.isfinite(agreement[75:]).mean() > 0.9
    outside = np.zeros(density.shape, bool)
    assert np.isnan(local_agreement(density, density, 21, tissue=outside)).all()


def test_unlike_sizes_and_tiny_windows_are_refused(density: np.ndarray) -> None:
    with pytest.raises(InputError, match="unlike sizes"):
        local_agreement(density, density[1:], 21)
    with pytest.raises(InputError, match="too small"):
        local_agreement(density, density, 1)
