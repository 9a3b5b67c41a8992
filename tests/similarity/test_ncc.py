"""NCC is Pearson's coefficient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr
from tests.similarity.pictures import half, smooth

from stainbridge.similarity.ncc import ncc


def test_it_is_pearsons_coefficient_over_channels_and_pixels() -> None:
    fixed, moving = smooth(2, 3, 15, 17, seed=1), smooth(2, 3, 15, 17, seed=2)
    expected = [
        pearsonr(f.ravel(), m.ravel()).statistic
        for f, m in zip(fixed.numpy(), moving.numpy(), strict=True)
    ]
    np.testing.assert_allclose(ncc(fixed, moving), expected, rtol=1e-5)


def test_a_weight_of_zeros_and_ones_is_a_mask() -> None:
    fixed, moving = smooth(1, 1, 15, 18, seed=3), smooth(1, 1, 15, 18, seed=4)
    expected = pearsonr(fixed[..., :9].ravel(), moving[..., :9].ravel()).statistic
    assert float(ncc(fixed, moving, half(fixed))) == pytest.approx(expected, rel=1e-5)


def test_gain_and_offset_do_not_matter_and_inversion_changes_the_sign() -> None:
    fixed = smooth(1, 1, 30, 30, seed=5)
    scores = torch.cat([ncc(fixed, 0.3 * fixed + 7), ncc(fixed, 1 - fixed)])
    torch.testing.assert_close(
        scores, torch.tensor([1.0, -1.0], dtype=torch.float64), atol=1e-5, rtol=0
    )
