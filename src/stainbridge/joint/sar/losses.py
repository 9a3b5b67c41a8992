"""The terms of SAR's loss, each a scalar to minimise that is 0 for perfect results.

Pictures and masks are (N, 1, H, W) in 0 … 1, fields (N, 2, H, W) in pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.nn.perceptual import normalise_maps
from stainbridge.similarity.nmi import nmi
from stainbridge.similarity.ssim import ssim

FeatureNetwork: TypeAlias = Callable[[Tensor], Sequence[Tensor]]

#: The NMI of equal pictures; that of independent ones is 1.
FULL_NMI = 2.0
#: Bins of NMI's histogram.
NMI_BINS = 32
#: Added to sums and means that may be 0: pixels of masks, squared pixels of fields.
MASK_EPSILON = 1.0
FIELD_EPSILON = 1.0
#: The least Dice that a logarithm is taken of.
MIN_DICE = 1e-3


def miss_nmi(reference: Tensor, registered: Tensor) -> Tensor:
    """Return 2 − NMI.

    Equation 2 of the paper adds NMI itself to what is minimised. But NMI grows with similarity, so
    minimising it would drive the pictures apart, against the two terms beside it, which fall with
    similarity. It therefore enters as a similarity to be maximised.
    """
    return FULL_NMI - nmi(reference, registered, bins=NMI_BINS).mean()


def miss_ssim(reference: Tensor, registered: Tensor) -> Tensor:
    """Return 1 − SSIM, in Gaussian windows (equation 2)."""
    return 1 - ssim(reference, registered, window="gaussian11").mean()


def compare_features(
    network: FeatureNetwork, reference: Tensor, registered: Tensor, side_px: int = 0
) -> Tensor:
    """Return the mean squared distance of the network's maps, each map normalised to 0 … 1.

    All maps count alike, whatever their size and layer (equation 2). Pictures are shrunk to
    `side_px` along the longer side, 0: not at all.
    """
    with torch.no_grad():
        expected = network(_prepare(reference, side_px))
    maps = network(_prepare(registered, side_px))
    distances = [
        (normalise_maps(a) - normalise_maps(b)).square().mean((2, 3)).flatten()
        for a, b in zip(maps, expected, strict=True)
    ]
    return torch.cat(distances).mean()


def _prepare(picture: Tensor, side_px: int) -> Tensor:
    """Return the picture in colour and in −1 … 1, as `PerceptualNet` sees it."""
    longest = max(picture.shape[-2:])
    if side_px and side_px < longest:
        factor = side_px / longest
        picture = F.interpolate(
            picture, scale_factor=factor, mode="bilinear", antialias=True, align_corners=False
        )
    return (2 * picture - 1).expand(-1, 3, -1, -1)


def deceive(scores: Tensor) -> Tensor:
    """Return −log D(G(x)) of scores before the sigmoid (N, 1).

    Equation 3 has log(1 − D(G(x))), whose gradient vanishes while the discriminator is sure. The
    term here has the same optimum (Goodfellow et al. 2014, section 3).
    """
    return F.softplus(-scores).mean()


def discriminate(real: Tensor, fake: Tensor) -> Tensor:
    """Return −log D(y) − log(1 − D(G(x))) of scores before the sigmoid (N, 1) (equation 3)."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def measure_dice(a: Tensor, b: Tensor) -> Tensor:
    """Return 2·Σab / (Σa + Σb) of soft masks, (N,); 1 for two empty ones."""
    overlap = 2 * (a * b).sum((1, 2, 3)) + MASK_EPSILON
    return overlap / (a.sum((1, 2, 3)) + b.sum((1, 2, 3)) + MASK_EPSILON)


def miss_dice(a: Tensor, b: Tensor) -> Tensor:
    """Return −log Dice: equation 5's log Dice is to be maximised."""
    return -measure_dice(a, b).clamp_min(MIN_DICE).log().mean()


def miss_field(applied: Tensor, recovered: Tensor, known: Tensor) -> Tensor:
    """Return −log(1 − MSE_norm) of fields, a mean over samples that are `known`, (N,) in 0 or 1.

    The paper says that MSE_norm is the squared error normalised to 0 … 1, not how. Here it is
    e / (e + a), e the mean squared error and a the applied field's mean square. It is 0 for the
    truth, ½ for no field, and never 1. So −log(1 − e / (e + a)) = log(1 + e / a).
    """
    error = (recovered - applied).square().mean((1, 2, 3))
    size = applied.square().mean((1, 2, 3)) + FIELD_EPSILON
    return (known * (error / size).log1p()).sum() / known.sum().clamp_min(1)
