"""Relativistic average losses: a score says how much more real a picture is than the others.

Jolicoeur-Martineau 2019, "The relativistic discriminator", arXiv:1807.00734, section 3.5; as in
ESRGAN, eq. 1, 2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def relativistic_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return the loss of scores (N, 1), before a sigmoid; a scalar.

    Real ones should be above the mean fake one, fake ones below the mean real one.
    """
    return (_rank_loss(real, fake, True) + _rank_loss(fake, real, False)) / 2


def relativistic_generator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return the loss of the reverse aim, in which real scores are compared too; a scalar."""
    return (_rank_loss(real, fake, False) + _rank_loss(fake, real, True)) / 2


def _rank_loss(scores: Tensor, others: Tensor, above: bool) -> Tensor:
    """Return the binary cross-entropy of being above the mean of the others, or below."""
    lead = scores - others.mean()
    return F.binary_cross_entropy_with_logits(lead, torch.full_like(lead, float(above)))
