"""Picture scores against scikit-image, scipy and numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import pearsonr
from skimage.metrics import (
    normalized_mutual_information,
    peak_signal_noise_ratio,
    structural_similarity,
)

from stainbridge.errors import InputError
from stainbridge.metrics.images import score_images

Array = np.ndarray[Any, Any]


def picture(seed: int, channels: int = 3, kind: Any = np.uint8) -> Array:
    noise = np.random.default_rng(seed).normal(size=(channels, 60, 70))
    smooth = np.stack([gaussian_filter(plane, 2) for plane in noise])
    span = np.iinfo(kind).max
    return ((smooth - smooth.min()) / np.ptp(smooth) * span).astype(kind)


def like(a: Array, seed: int) -> Array:
    """`a` with some of another picture mixed in."""
    return (0.7 * a + 0.3 * picture(seed, len(a), a.dtype)).astype(a.dtype)


A = picture(1)
B = like(A, 2)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_they_are_the_libraries_numbers(kind: Any) -> None:
    a = picture(1, kind=kind)
    b = like(a, 2)
    span = float(np.iinfo(kind).max)
    scores = score_images(a, b)
    ssim = {"data_range": span, "channel_axis": 0}
    gaussian = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    assert (scores.pixels, scores.span) == (60 * 70, span)
    assert scores.ncc == pytest.approx(
        pearsonr(a.mean(0).ravel(), b.mean(0).ravel()).statistic, rel=1e-5
    )
    assert scores.nmi == pytest.approx(normalized_mutual_information(a.mean(0), b.mean(0)))
    assert scores.ssim_uniform7 == pytest.approx(structural_similarity(a, b, **ssim))
    assert scores.ssim_gaussian11 == pytest.approx(structural_similarity(a, b, **ssim, **gaussian))
    assert scores.psnr_db == pytest.approx(peak_signal_noise_ratio(a, b, data_range=span))
    assert scores.rmse == pytest.approx(np.sqrt(np.mean((a.astype(float) - b) ** 2)))


def test_local_ncc_is_the_mean_of_correlations_of_windows() -> None:
    inner = np.zeros((60, 70), bool)
    inner[20, 31] = True  # one window, 9 x 9
    a, b = (x[:, 16:25, 27:36].mean(0) / 255 for x in (A, B))
    covariance = np.mean(a * b) - a.mean() * b.mean()
    expected = covariance / np.sqrt((a.var() + 1e-5) * (b.var() + 1e-5))
    assert score_images(A, B, inner).local_ncc == pytest.approx(expected)


def test_equal_pictures_are_as_like_as_can_be() -> None:
    scores = score_images(A, A)
    assert [
        scores.ncc,
        scores.nmi / 2,
        scores.ssim_uniform7,
        scores.ssim_gaussian11,
    ] == pytest.approx([1] * 4)
    assert scores.local_ncc == pytest.approx(1, abs=0.01)
    assert (scores.psnr_db, scores.rmse) == (float("inf"), 0)


def test_what_lies_outside_the_mask_does_not_count() -> None:
    mask = np.zeros((60, 70), bool)
    mask[:, :30] = True
    changed = B.copy()
    changed[:, :, 36:] = 0  # beyond the reach of the largest window, 5 pixels
    assert score_images(A, B, mask) == score_images(A, changed, mask)
    assert score_images(A, B, mask).pixels == 60 * 30
    assert score_images(A, B, mask).rmse == pytest.approx(
        np.sqrt(np.mean((A[..., :30].astype(float) - B[..., :30]) ** 2))
    )


def test_a_mask_of_everything_changes_nothing() -> None:
    assert score_images(A, B, np.ones((60, 70), bool)) == score_images(A, B)


def test_flat_pictures_have_no_correlation_and_no_information() -> None:
    flat = np.full_like(A, 100)
    scores = score_images(flat, flat + 10)
    assert (scores.ncc, scores.rmse) == (pytest.approx(0, abs=1e-9), 10)
    assert np.isnan(scores.nmi)
    assert score_images(flat, A).nmi == pytest.approx(1)


def test_floating_pixels_need_their_span() -> None:
    a, b = (x.astype(np.float32) / 255 for x in (A, B))
    with pytest.raises(InputError, match="span"):
        score_images(a, b)
    scores, expected = score_images(a, b, span=1), score_images(A, B)
    assert scores.psnr_db == pytest.approx(expected.psnr_db, rel=1e-5)
    assert scores.ssim_gaussian11 == pytest.approx(expected.ssim_gaussian11, rel=1e-4)


@pytest.mark.parametrize(
    ("a", "b", "mask", "message"),
    [
        (A, B[:, 1:], None, "same size"),
        (A, B[:2], None, "same size and channels"),
        (A, B.astype(np.uint16), None, "same type"),
        (A[:, :10], B[:, :10], None, "too small"),
        (A, B, np.ones((60, 69), bool), "mask does not have"),
        (A, B, np.zeros((60, 70), bool), "mask is empty"),
        (A, B, np.arange(60)[:, None] + np.arange(70) < 2, "no whole SSIM window"),
        (np.full((1, 20, 20), np.nan), np.ones((1, 20, 20)), None, "not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    a: Array, b: Array, mask: Array | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        score_images(a, b, mask)


def test_a_span_must_be_positive() -> None:
    with pytest.raises(InputError, match="positive"):
        score_images(A, B, span=0)
