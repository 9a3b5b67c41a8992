"""The terms that objectives are sums of: how far a fake picture is from what it should be.

Pictures are (N, C, H, W) in −1 … 1; every term is a scalar to minimise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

Translator: TypeAlias = Callable[[Tensor], Tensor]
FeatureNetwork: TypeAlias = Callable[[Tensor], Sequence[Tensor]]


def pixelwise(fake: Tensor, real: Tensor) -> Tensor:
    """Return the mean absolute difference: pix2pix's L1 (Isola et al. 2017, eq. 3)."""
    return F.l1_loss(fake, real)


def weighted_pixelwise(fake: Tensor, real: Tensor, weight: Tensor | float) -> Tensor:
    """Return the mean absolute difference where picture n counts `weight[n]` times, (N,)."""
    differences = (fake - real).abs().mean((1, 2, 3))
    return (torch.as_tensor(weight).to(differences) * differences).mean()


def cycle(translate_back: Translator, fake: Tensor, real: Tensor) -> Tensor:
    """Return ‖translate_back(fake) − real‖₁ where `fake` came from `real` (Zhu et al., eq. 2)."""
    return pixelwise(translate_back(fake), real)


def identity(translator: Translator, target: Tensor) -> Tensor:
    """Return ‖translator(target) − target‖₁: a target should not change.

    Zhu et al. 2017, section 5.2.
    """
    return pixelwise(translator(target), target)


def perceptual(network: FeatureNetwork, fake: Tensor, real: Tensor) -> Tensor:
    """Return ‖φ(fake) − φ(real)‖² / (C·H·W), summed over the network's layers.

    The mean over pictures (CycGANRegNet, eq. 1).
    """
    with torch.no_grad():
        real_features = network(real)
    layers = [F.mse_loss(f, r) for f, r in zip(network(fake), real_features, strict=True)]
    return torch.stack(layers).sum()


def feature_matching(
    fake: Sequence[Sequence[Tensor]],
    real: Sequence[Sequence[Tensor]],
    weight: Tensor | float = 1.0,
) -> Tensor:
    """Return the mean absolute difference of a discriminator's features, its scores aside.

    `fake` and `real` hold for each scale the features of all layers, the scores last (pix2pixHD:
    Wang et al. 2018, eq. 4). As in its reference code the mean is over scales, and the sum over
    layers is scaled to four of them. `weight` is as in `weighted_pixelwise`.
    """
    scales = [_layer_matching(f[:-1], r[:-1], weight) for f, r in zip(fake, real, strict=True)]
    return torch.stack(scales).mean()


def _layer_matching(
    fake: Sequence[Tensor], real: Sequence[Tensor], weight: Tensor | float
) -> Tensor:
    layers = [weighted_pixelwise(f, r.detach(), weight) for f, r in zip(fake, real, strict=True)]
    return 4 * torch.stack(layers).mean()
