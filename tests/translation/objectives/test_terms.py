"""The terms that translation objectives are sums of."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from stainbridge.nn.patchgan import PatchGAN, PatchGANConfig
from stainbridge.nn.perceptual import PerceptualConfig, PerceptualNet
from stainbridge.translation.objectives.adversarial import (
    Adversary,
    discriminator_loss,
    generator_loss,
    score_loss,
)
from stainbridge.translation.objectives.terms import (
    cycle,
    feature_matching,
    identity,
    perceptual,
    pixelwise,
    weighted_pixelwise,
)


def pictures(seed: int, channels: int = 3, side: int = 16) -> Tensor:
    """(2, channels, side, side) in −1 … 1."""
    return (
        2 * torch.rand(2, channels, side, side, generator=torch.Generator().manual_seed(seed)) - 1
    )


def test_least_squares_is_zero_where_the_scores_are_right() -> None:
    ones, zeros = torch.ones(1, 1, 3, 3), torch.zeros(1, 1, 3, 3)
    assert discriminator_loss([ones], [zeros], "least-squares") == 0
    assert discriminator_loss([zeros], [ones], "least-squares") == 1
    assert generator_loss([ones], "least-squares") == 0


def test_vanilla_is_the_cross_entropy_of_the_sigmoid() -> None:
    scores = torch.tensor([[[[0.7]]]])
    chance = 1 / (1 + math.exp(-0.7))
    assert float(score_loss(scores, True, "vanilla")) == pytest.approx(-math.log(chance))
    assert float(score_loss(scores, False, "vanilla")) == pytest.approx(-math.log(1 - chance))


@pytest.mark.parametrize("adversary", ["least-squares", "vanilla"])
def test_scales_of_scores_add_up(adversary: Adversary) -> None:
    fine, coarse = torch.rand(1, 1, 6, 6), torch.rand(1, 1, 3, 3)
    both = generator_loss([fine, coarse], adversary)
    assert both == generator_loss([fine], adversary) + generator_loss([coarse], adversary)
    judged = discriminator_loss([fine, coarse], [fine, coarse], adversary)
    assert judged > discriminator_loss([fine], [fine], adversary)


@pytest.mark.parametrize("adversary", ["least-squares", "vanilla"])
def test_who_deceives_and_who_detects_pull_apart(adversary: Adversary) -> None:
    real, made = (torch.zeros(1, 1, 2, 2, requires_grad=True) for _ in range(2))
    discriminator_loss([real], [made], adversary).backward()
    deceiving = torch.zeros(1, 1, 2, 2, requires_grad=True)
    generator_loss([deceiving], adversary).backward()
    assert real.grad is not None
    assert made.grad is not None
    assert deceiving.grad is not None
    assert (real.grad < 0).all()
    assert (made.grad >= 0).all()
    assert (deceiving.grad < 0).all()


def test_cycle_and_identity_are_zero_for_translators_that_bring_back_and_leave_alone() -> None:
    real = pictures(0)
    assert cycle(lambda x: -x, -real, real) == 0
    assert identity(lambda x: x, real) == 0
    assert float(identity(lambda x: x + 0.25, real)) == pytest.approx(0.25, rel=1e-5)
    assert pixelwise(real, -real) == (2 * real).abs().mean()


def test_perceptual_is_the_mean_square_of_features_and_trains_only_what_is_made() -> None:
    network = PerceptualNet(PerceptualConfig(width=4, layers=(1, 3)))
    made, real = pictures(0).requires_grad_(), pictures(1).requires_grad_()
    loss = perceptual(network, made, real)
    by_hand = [
        ((a - b) ** 2).flatten(1).sum(1).mean() / a[0].numel()
        for a, b in zip(network(made), network(real), strict=True)
    ]
    assert float(loss.detach()) == pytest.approx(
        float(torch.stack(by_hand).sum().detach()), rel=1e-5
    )
    loss.backward()
    assert made.grad is not None
    assert made.grad.any()
    assert real.grad is None
    assert perceptual(network, real.detach(), real.detach()) == 0


def test_features_are_matched_without_the_scores() -> None:
    torch.manual_seed(0)
    network = PatchGAN(PatchGANConfig(width=2)).requires_grad_(False)
    made, real = network.features(pictures(0, side=32)), network.features(pictures(1, side=32))
    loss = feature_matching([made], [real])
    others = (*made[:-1], made[-1] + 5)
    assert loss > 0
    assert feature_matching([others], [real]) == loss
    assert feature_matching([made, made], [real, real]) == loss
    by_hand = sum(float((m - r).abs().mean()) for m, r in zip(made[:4], real[:4], strict=True))
    assert float(loss) == pytest.approx(by_hand, rel=1e-5)
    assert feature_matching([real], [real]) == 0


def test_pairs_count_by_their_weights() -> None:
    real = torch.zeros(2, 3, 4, 4)
    fake = torch.stack([torch.full((3, 4, 4), value) for value in (0.1, 0.5)])
    assert float(weighted_pixelwise(fake, real, 1.0)) == pytest.approx(0.3)
    weight = torch.tensor([2.0, 0.0], dtype=torch.float64)
    assert float(weighted_pixelwise(fake, real, weight)) == pytest.approx(0.1)
    features = [[fake, fake]]
    zeros = [[real, real]]
    assert float(feature_matching(features, zeros, weight)) == pytest.approx(0.4)
