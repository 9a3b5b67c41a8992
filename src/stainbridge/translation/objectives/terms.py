"""How far a made picture is from what it should be: the terms that objectives are sums of.

Pictures are (N, C, H, W) in −1 … 1; every term is a scalar to lower.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

Translator: TypeAlias = Callable[[Tensor], Tensor]
Features: TypeAlias = Callable[[Tensor], Sequence[Tensor]]


def pixelwise(made: Tensor, real: Tensor) -> Tensor:
    """Mean absolute difference: pix2pix's L1 (Isola et al. 2017, eq. 3)."""
    return F.l1_loss(made, real)


def cycle(back: Translator, made: Tensor, real: Tensor) -> Tensor:
    """‖back(made) − real‖₁ where `made` was made from `real` (Zhu et al. 2017, eq. 2)."""
    return pixelwise(back(made), real)


def identity(translator: Translator, target: Tensor) -> Tensor:
    """‖translator(target) − target‖₁: the target stain should stay as it is (Zhu et al. 2017,
    section 5.2).
    """
    return pixelwise(translator(target), target)


def perceptual(network: Features, made: Tensor, real: Tensor) -> Tensor:
    """‖φ(made) − φ(real)‖² / (C·H·W), mean over pictures, summed over the network's layers
    (CycGANRegNet, eq. 1).
    """
    with torch.no_grad():
        wanted = network(real)
    return torch.stack([F.mse_loss(a, b) for a, b in zip(network(made), wanted, strict=True)]).sum()


def feature_matching(made: Sequence[Sequence[Tensor]], real: Sequence[Sequence[Tensor]]) -> Tensor:
    """Mean absolute difference of a discriminator's features, its scores aside (pix2pixHD: Wang et
    al. 2018, eq. 4).

    For each scale the features of all layers, the scores last. As in its reference code the mean is
    over scales, and the sum over layers is scaled to four of them.
    """
    scales = zip(made, real, strict=True)
    return torch.stack([_matched(m[:-1], r[:-1]) for m, r in scales]).mean()


def _matched(made: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    layers = [pixelwise(m, r.detach()) for m, r in zip(made, real, strict=True)]
    return 4 * torch.stack(layers).mean()
