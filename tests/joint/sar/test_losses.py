"""The terms of SAR's loss: 0 for perfect results, higher for worse ones, never infinite."""

from __future__ import annotations

import pytest
import torch
from tests.joint.sar.pictures import make_batch

from stainbridge.geometry.flow import warp
from stainbridge.joint.sar.losses import (
    compare_features,
    deceive,
    discriminate,
    miss_dice,
    miss_field,
    miss_nmi,
    miss_ssim,
)
from stainbridge.nn.perceptual import ALL_LAYERS, PerceptualConfig, PerceptualNet


def test_the_content_falls_with_similarity() -> None:
    batch = make_batch()
    registered = warp(batch.floating, batch.truth, "zeros")
    network = PerceptualNet(PerceptualConfig(layers=ALL_LAYERS, width=2))
    for miss in (
        miss_nmi,
        miss_ssim,
        lambda a, b: compare_features(network, a, b),
        lambda a, b: compare_features(network, a, b, side_px=32),
    ):
        same = float(miss(batch.reference, batch.reference))
        near = float(miss(batch.reference, registered))
        far = float(miss(batch.reference, batch.floating))
        assert same < near < far
    assert float(miss_ssim(batch.reference, batch.reference)) == pytest.approx(0, abs=1e-5)
    assert float(compare_features(network, registered, registered)) == 0


def test_the_field_term_is_0_at_the_truth_and_log_2_without_a_field() -> None:
    truth = 8 * torch.randn(2, 2, 16, 16)
    known = torch.ones(2)
    assert float(miss_field(truth, truth, known)) == 0
    nothing = float(miss_field(truth, torch.zeros_like(truth), known))
    assert nothing == pytest.approx(float(torch.log(torch.tensor(2.0))), rel=0.02)
    assert float(miss_field(truth, truth + 1, known)) < float(miss_field(truth, truth + 2, known))
    assert torch.isfinite(miss_field(truth, 1e4 * truth, known))


def test_the_field_term_leaves_out_pairs_whose_field_is_not_known() -> None:
    truth = torch.ones(2, 2, 8, 8)
    wrong = torch.stack([truth[0], truth[1] + 5])
    assert float(miss_field(truth, wrong, torch.tensor([1.0, 0.0]))) == 0
    assert float(miss_field(truth, wrong, torch.zeros(2))) == 0
    assert float(miss_field(truth, wrong, torch.tensor([0.0, 1.0]))) > 0


def test_the_dice_term_is_0_for_equal_masks_and_finite_for_separate_ones() -> None:
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1
    assert float(miss_dice(mask, mask)) == 0
    assert 0 < float(miss_dice(mask, torch.roll(mask, 2, -1))) < float(miss_dice(mask, 1 - mask))
    assert torch.isfinite(miss_dice(mask, 1 - mask))


def test_generator_and_discriminator_want_opposite_scores() -> None:
    real, fake = torch.tensor([[4.0]]), torch.tensor([[-4.0]])
    assert float(deceive(real)) < float(deceive(fake))
    assert float(discriminate(real, fake)) < float(discriminate(fake, real))
    assert torch.isfinite(deceive(torch.tensor([[-1e4]])))
