"""Relativistic average losses."""

from __future__ import annotations

import math

import pytest
import torch

from stainbridge.translation.sharpening.relativistic import (
    relativistic_discriminator_loss,
    relativistic_generator_loss,
)


def test_by_hand() -> None:
    real, made = torch.tensor([[2.0], [0.0]]), torch.tensor([[-1.0], [1.0]])
    softplus = [
        math.log1p(math.exp(x)) for x in (-2.0, 0.0, -2.0, 0.0)
    ]  # leads over the means 0 and 1
    assert float(relativistic_discriminator_loss(real, made)) == pytest.approx(sum(softplus) / 4)


def test_only_differences_count() -> None:
    real, made = torch.randn(4, 1), torch.randn(4, 1)
    for loss in (relativistic_discriminator_loss, relativistic_generator_loss):
        assert float(loss(real + 7, made + 7)) == pytest.approx(float(loss(real, made)), abs=1e-5)


def test_each_wants_what_the_other_does_not() -> None:
    real, made = torch.tensor([[3.0]]), torch.tensor([[-3.0]])
    assert relativistic_discriminator_loss(real, made) < 0.01
    assert relativistic_generator_loss(real, made) > 5
    assert torch.equal(
        relativistic_generator_loss(real, made), relativistic_discriminator_loss(made, real)
    )
