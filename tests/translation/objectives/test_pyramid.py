"""Losses on Gaussian pyramids."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d

from stainbridge.errors import InputError
from stainbridge.translation.objectives.pyramid import (
    BINOMIAL,
    GAUSSIAN,
    gaussian_l1,
    multi_scale_l1,
    next_octave,
)


def pictures(seed: int, height: int = 24, width: int = 33) -> torch.Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(seed))


def test_taps_are_a_gaussian_of_sigma_one() -> None:
    edge = math.exp(-0.5)
    assert pytest.approx([x / (1 + 2 * edge) for x in (edge, 1, edge)], rel=1e-6) == GAUSSIAN
    assert sum(BINOMIAL) == 1


def test_an_octave_is_four_blurs_and_every_second_pixel() -> None:
    """The same from an independent implementation."""
    given = pictures(0)
    wanted = given.numpy().astype(np.float64)
    for _ in range(4):
        for axis in (2, 3):
            wanted = correlate1d(wanted, GAUSSIAN, axis, mode="mirror")
    octave = next_octave(given)
    assert octave.shape == (2, 3, 12, 17)
    np.testing.assert_allclose(octave.numpy(), wanted[..., ::2, ::2], atol=1e-5)


def test_scales_add_up_by_their_weights_and_none_is_plain_pix2pix() -> None:
    made, real = pictures(0), pictures(1)
    first = (next_octave(made) - next_octave(real)).abs().mean()
    second = (next_octave(next_octave(made)) - next_octave(next_octave(real))).abs().mean()
    assert multi_scale_l1(made, real, ()) == 0
    assert float(multi_scale_l1(made, real, (25,))) == pytest.approx(25 * float(first), rel=1e-5)
    assert float(multi_scale_l1(made, real, (2, 3))) == pytest.approx(
        2 * float(first) + 3 * float(second), rel=1e-5
    )
    assert multi_scale_l1(real, real, (1, 1, 1)) == 0


def test_coarse_scales_forgive_a_shift_but_not_a_change_of_colour() -> None:
    real = pictures(0, 64, 64)
    shifted, tinted = real.roll(1, -1), real + 0.1
    plain = float((shifted - real).abs().mean())
    by_scale = [float(multi_scale_l1(shifted, real, (0,) * i + (1,))) for i in range(2)]
    assert plain > 3 * by_scale[0] > 3 * by_scale[1]
    assert float(multi_scale_l1(tinted, real, (0, 1))) == pytest.approx(0.1, rel=1e-3)


def test_gaussian_levels_are_weighted_the_finest_first() -> None:
    made, real = pictures(0, 32, 32), pictures(1, 32, 32)
    plain = float((made - real).abs().mean())
    assert float(gaussian_l1(made, real, (2,))) == pytest.approx(2 * plain, rel=1e-5)
    assert 0 < float(gaussian_l1(made, real, (0, 1))) < plain
    tinted = gaussian_l1(real + 0.1, real, (1 / 64, 1 / 32, 1 / 16, 1))
    assert float(tinted) == pytest.approx(0.1 * (1 / 64 + 1 / 32 + 1 / 16 + 1), rel=1e-3)


def test_mixed_precision_does_not_round_what_is_blurred() -> None:
    given = pictures(0)
    with torch.autocast("cpu", torch.bfloat16):
        octave = next_octave(given)
    assert torch.equal(octave, next_octave(given))


def test_gradients_reach_the_made_picture() -> None:
    made = pictures(0).requires_grad_()
    multi_scale_l1(made, pictures(1), (1, 1)).backward()
    assert made.grad is not None
    assert (made.grad != 0).float().mean() > 0.9


def test_pictures_too_small_for_the_scales_are_refused() -> None:
    small = torch.rand(1, 3, 4, 4)
    with pytest.raises(InputError, match="too small"):
        multi_scale_l1(small, small, (1, 1, 1))
    with pytest.raises(InputError, match="too small"):
        gaussian_l1(small, small, (1, 1, 1))
