"""Local NCC: the closed-form gradient is the true one, and the windows are the windows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter

from stainbridge.similarity.lncc import LocalNCC, box_sum, local_ncc


def test_box_sums_are_window_sums_with_zeros_outside() -> None:
    x = torch.rand(2, 1, 13, 17, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = np.stack(
        [uniform_filter(plane, 5, mode="constant") * 25 for plane in x[:, 0].numpy()]
    )
    np.testing.assert_allclose(box_sum(x, 2)[:, 0].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("count", [4, 64, 65, 130])
def test_many_small_planes_have_the_sums_of_each(count: int) -> None:
    x = 50 * torch.randn(count, 2, 9, 7, generator=torch.Generator().manual_seed(1))
    each = torch.stack([box_sum(plane[None], 2)[0] for plane in x.flatten(0, 1)])
    torch.testing.assert_close(box_sum(x, 2).flatten(0, 1), each, rtol=0, atol=0)


def test_the_gradient_is_the_numerical_one() -> None:
    generator = torch.Generator().manual_seed(2)
    fixed, moving, weight = (
        torch.rand(n, 1, 9, 8, dtype=torch.float64, generator=generator) for n in (1, 3, 3)
    )
    similarity = LocalNCC.of(fixed, radius=2, noise=1e-2)
    assert torch.autograd.gradcheck(lambda m: similarity(m, weight), moving.requires_grad_(True))


def test_an_image_correlates_with_itself_whatever_its_gain_and_offset() -> None:
    fixed = torch.rand(1, 1, 40, 40, generator=torch.Generator().manual_seed(3))
    ones = torch.ones_like(fixed)
    scores = (
        LocalNCC.of(fixed, 4, noise=1e-6)(torch.cat([fixed, 0.5 * fixed + 0.2, 1 - fixed]), ones)
        / ones.sum()
    )
    torch.testing.assert_close(scores, torch.tensor([1.0, 1.0, -1.0]), atol=2e-2, rtol=0)


def test_flat_windows_say_nothing() -> None:
    fixed = torch.rand(1, 1, 30, 30, generator=torch.Generator().manual_seed(4))
    flat = torch.full_like(fixed, 0.5)
    assert abs(float(LocalNCC.of(fixed, 4)(flat, torch.ones_like(fixed)))) < 1.0  # of 900 windows


def test_the_mean_is_that_of_correlations_by_scipy() -> None:
    generator = torch.Generator().manual_seed(5)
    fixed, moving = (
        torch.rand(1, 1, 20, 22, dtype=torch.float64, generator=generator) for _ in range(2)
    )
    a, b = fixed[0, 0].numpy(), moving[0, 0].numpy()

    def window(x: np.ndarray) -> np.ndarray:
        return uniform_filter(x, 5)

    covariance = window(a * b) - window(a) * window(b)
    variances = (window(a * a) - window(a) ** 2 + 0.01) * (window(b * b) - window(b) ** 2 + 0.01)
    inner = torch.zeros_like(fixed)
    inner[..., 2:-2, 2:-2] = 1
    expected = (covariance / np.sqrt(variances))[2:-2, 2:-2].mean()
    np.testing.assert_allclose(
        local_ncc(fixed, moving, inner, radius=2, noise=0.01), [expected], rtol=1e-9
    )


@pytest.mark.parametrize("step", [2, 3, 5])
def test_windows_of_blocks_have_the_gradient_of_their_score(step: int) -> None:
    generator = torch.Generator().manual_seed(6)
    fixed, moving = (
        torch.rand(1, 2, 23, 31, dtype=torch.float64, generator=generator) for _ in range(2)
    )
    similarity = LocalNCC.of(fixed, 4, step=step)
    weight = similarity.focus(torch.rand(1, 1, 23, 31, dtype=torch.float64, generator=generator))
    assert weight.shape[-2:] == (-(-23 // step), -(-31 // step))
    assert torch.autograd.gradcheck(lambda x: similarity(x, weight), (moving.requires_grad_(),))


def test_windows_of_blocks_are_some_of_the_windows_about_every_pixel() -> None:
    generator = torch.Generator().manual_seed(7)
    fixed, moving = (
        torch.rand(1, 1, 30, 45, dtype=torch.float64, generator=generator) for _ in range(2)
    )
    every, some = (
        LocalNCC.of(fixed, 7),
        LocalNCC.of(fixed, 7, step=5),
    )  # 15 x 15 pixels, 3 x 3 blocks
    torch.testing.assert_close(some.windows(moving), every.windows(moving)[..., 2::5, 2::5])
