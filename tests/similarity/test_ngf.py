"""NGF: gradients are numpy's, and edges count whatever their sign."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.similarity.pictures import smooth

from stainbridge.similarity.ngf import ngf, unit_gradients


def test_unit_gradients_are_central_differences_over_their_damped_length() -> None:
    x = smooth(1, 1, 12, 14, seed=1)
    dy, dx = np.gradient(x[0, 0].numpy())
    expected = np.stack([dx, dy]) / np.sqrt(dx**2 + dy**2 + 0.05**2)
    got = unit_gradients(x, 0.05)[0].numpy()
    np.testing.assert_allclose(got[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1], atol=1e-12)


def test_the_score_is_the_sum_written_out() -> None:
    x, y = smooth(1, 1, 12, 14, seed=2), smooth(1, 1, 12, 14, seed=3)
    u, v = unit_gradients(x)[0].numpy(), unit_gradients(y)[0].numpy()
    expected = ((u * v).sum(0) ** 2).sum() / (u**2).sum()
    assert float(ngf(x, y)) == pytest.approx(expected, rel=1e-9)


def test_contrast_may_be_inverted() -> None:
    x, y = smooth(1, 1, 20, 20, seed=4), smooth(1, 1, 20, 20, seed=5)
    torch.testing.assert_close(ngf(x, y), ngf(x, 1 - y))


def test_strong_edges_count_fully_and_crossing_ones_not_at_all() -> None:
    ramp = torch.arange(16.0).view(1, 1, 1, 16).expand(1, 1, 16, 16)
    inner = torch.zeros(1, 1, 16, 16)
    inner[..., 2:-2, 2:-2] = 1
    assert float(ngf(ramp, 5 - 2 * ramp, inner)) == pytest.approx(1, abs=2e-3)
    assert float(ngf(ramp, ramp.transpose(2, 3), inner)) == 0
