"""What discriminator and generator ask of each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

Adversary: TypeAlias = Literal["least-squares", "vanilla"]


def scored(scores: Tensor, real: bool, adversary: Adversary) -> Tensor:
    """How far scores (N, 1, h, w), without a sigmoid, are from calling all patches real, or all
    made; a scalar.

    "least-squares": Mao et al. 2017, arXiv:1611.04076; "vanilla": binary cross-entropy, Goodfellow
    et al. 2014.
    """
    wanted = torch.full_like(scores, float(real))
    if adversary == "least-squares":
        return F.mse_loss(scores, wanted)
    return F.binary_cross_entropy_with_logits(scores, wanted)


def discriminator_loss(
    real: Sequence[Tensor], made: Sequence[Tensor], adversary: Adversary
) -> Tensor:
    """Half of what is wrong on real and made pictures, summed over scales of scores."""
    pairs = zip(real, made, strict=True)
    return torch.stack(
        [(scored(r, True, adversary) + scored(m, False, adversary)) / 2 for r, m in pairs]
    ).sum()


def generator_loss(made: Sequence[Tensor], adversary: Adversary) -> Tensor:
    """How far made pictures are from being called real, summed over scales of scores."""
    return torch.stack([scored(scores, True, adversary) for scores in made]).sum()
