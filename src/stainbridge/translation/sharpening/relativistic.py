"""What discriminator and generator ask of each other where scores are about being more real than
the others.

Jolicoeur-Martineau 2019, "The relativistic discriminator", arXiv:1807.00734, section 3.5; as in
ESRGAN, eq. 1, 2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def relativistic_discriminator_loss(real: Tensor, made: Tensor) -> Tensor:
    """How far scores (N, 1), without a sigmoid, are from: real above the mean made one, and the
    reverse; a scalar.
    """
    return (_above(real, made, True) + _above(made, real, False)) / 2


def relativistic_generator_loss(real: Tensor, made: Tensor) -> Tensor:
    """The reverse: also the real ones' gradients are the generator's."""
    return (_above(real, made, False) + _above(made, real, True)) / 2


def _above(scores: Tensor, others: Tensor, wanted: bool) -> Tensor:
    """Binary cross-entropy of being above the mean of the others, or below."""
    lead = scores - others.mean()
    return F.binary_cross_entropy_with_logits(lead, torch.full_like(lead, float(wanted)))
