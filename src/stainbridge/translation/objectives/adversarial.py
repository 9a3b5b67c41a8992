"""Adversarial losses: what discriminator and generator minimise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

Adversary: TypeAlias = Literal["least-squares", "vanilla"]


def score_loss(scores: Tensor, real: bool, adversary: Adversary) -> Tensor:
    """Return how far scores are from calling all patches real, or all fake; a scalar.

    Scores are (N, 1, h, w), before a sigmoid. "least-squares": Mao et al. 2017, arXiv:1611.04076;
    "vanilla": binary cross-entropy, Goodfellow et al. 2014.
    """
    wanted = torch.full_like(scores, float(real))
    if adversary == "least-squares":
        return F.mse_loss(scores, wanted)
    return F.binary_cross_entropy_with_logits(scores, wanted)


def discriminator_loss(
    real: Sequence[Tensor], fake: Sequence[Tensor], adversary: Adversary
) -> Tensor:
    """Return half the loss on scores of real and fake pictures, summed over the scales."""
    losses = [
        (score_loss(r, True, adversary) + score_loss(f, False, adversary)) / 2
        for r, f in zip(real, fake, strict=True)
    ]
    return torch.stack(losses).sum()


def generator_loss(fake: Sequence[Tensor], adversary: Adversary) -> Tensor:
    """Return how far fake pictures are from being called real, summed over the scales."""
    return torch.stack([score_loss(scores, True, adversary) for scores in fake]).sum()
