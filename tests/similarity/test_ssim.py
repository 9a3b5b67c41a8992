"""Both kinds of SSIM are scikit-image's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from tests.similarity.pictures import half, smooth

from stainbridge.errors import InputError
from stainbridge.similarity.ssim import SsimWindow, ssim, ssim_map

KINDS: list[tuple[SsimWindow, dict[str, Any]]] = [
    ("uniform7", {"win_size": 7}),
    ("gaussian11", {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}),
]


@pytest.mark.parametrize(("window", "options"), KINDS)
def test_it_is_scikit_images(window: SsimWindow, options: dict[str, Any]) -> None:
    a, b = 255 * smooth(1, 3, 40, 44, seed=1), 255 * smooth(1, 3, 40, 44, seed=2)
    expected, full = structural_similarity(
        a[0].numpy(), b[0].numpy(), data_range=255, channel_axis=0, full=True, **options
    )
    assert float(ssim(a, b, window=window, span=255)) == pytest.approx(expected, rel=1e-9)
    margin = 3 if window == "uniform7" else 5
    got = ssim_map(a, b, window=window, span=255)[0].numpy()
    np.testing.assert_allclose(got, full[:, margin:-margin, margin:-margin], rtol=1e-8)


def test_the_two_kinds_differ() -> None:
    a, b = smooth(1, 1, 40, 40, seed=3), smooth(1, 1, 40, 40, seed=4)
    assert abs(float(ssim(a, b, window="uniform7") - ssim(a, b, window="gaussian11"))) > 1e-3


def test_a_mask_chooses_windows_by_their_centres() -> None:
    a, b = smooth(1, 2, 30, 40, seed=5), smooth(1, 2, 30, 40, seed=6)
    expected = ssim_map(a, b, window="uniform7")[..., : 20 - 3].mean()
    torch.testing.assert_close(ssim(a, b, half(a), window="uniform7")[0], expected)


def test_a_picture_smaller_than_the_window_is_refused() -> None:
    a = smooth(1, 1, 10, 30, seed=7)
    with pytest.raises(InputError, match="window"):
        ssim(a, a, window="gaussian11")
