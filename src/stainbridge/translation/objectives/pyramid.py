"""Losses on Gaussian pyramids, for pairs that are aligned in structure but not to the pixel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.errors import InputError
from stainbridge.translation.objectives.terms import weighted_pixelwise

#: Blurs of an octave: pyramid pix2pix's.
BLURS = 4
#: Three taps of a Gaussian of σ 1 px.
GAUSSIAN = (0.27406862, 0.45186276, 0.27406862)
#: The five binomial taps of Burt & Adelson 1983.
BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


def multi_scale_l1(
    fake: Tensor, real: Tensor, weights: Sequence[float], pair_weight: Tensor | float = 1.0
) -> Tensor:
    """Return Σ λ_i S_i over pictures (N, C, H, W), a scalar (pyramid pix2pix, eq. 1 and 2).

    `weights` are λ_1, λ_2, …; none give 0. S_i is the mean absolute difference of the first layers
    of octave i, in which each pair counts `pair_weight`, (N,). Raises `InputError` when the
    pictures are too small for as many octaves.
    """
    total = fake.new_zeros(())
    for weight in weights:
        fake = next_octave(fake)
        real = next_octave(real)
        total = total + weight * weighted_pixelwise(fake, real, pair_weight)
    return total


def next_octave(pictures: Tensor) -> Tensor:
    """Blur (N, C, H, W) four times by a Gaussian of σ 1 px and take every second pixel.

    Returns (N, C, ⌈H / 2⌉, ⌈W / 2⌉).
    """
    for _ in range(BLURS):
        pictures = blur(pictures, GAUSSIAN)
    return pictures[..., ::2, ::2]


def gaussian_l1(
    fake: Tensor, real: Tensor, weights: Sequence[float], pair_weight: Tensor | float = 1.0
) -> Tensor:
    """Return the weighted mean absolute differences of a Gaussian pyramid, a scalar.

    `weights` are of full resolution, then of each halving. Li et al. 2023, arXiv:2303.06193: 1/64,
    1/32, 1/16, 1/8, 1/4, 1. Each pair counts `pair_weight`, (N,).
    """
    total = fake.new_zeros(())
    for level, weight in enumerate(weights):
        if level:
            fake = blur(fake, BINOMIAL)[..., ::2, ::2]
            real = blur(real, BINOMIAL)[..., ::2, ::2]
        total = total + weight * weighted_pixelwise(fake, real, pair_weight)
    return total


def blur(pictures: Tensor, taps: Sequence[float]) -> Tensor:
    """Convolve (N, C, H, W) with an odd number of `taps`, across and down; borders reflect.

    Never in mixed precision: blurred pictures differ by less than its rounding.
    """
    channels = pictures.shape[1]
    height, width = pictures.shape[-2:]
    radius = len(taps) // 2
    if min(height, width) <= radius:
        raise InputError(
            "pictures too small for so many scales",
            expected=f"over {radius} px left at the last",
            got=(height, width),
            remedy="use larger tiles or fewer scales",
        )
    with torch.autocast(pictures.device.type, enabled=False):
        padded = F.pad(pictures.float(), (radius, radius, radius, radius), mode="reflect")
        kernel = padded.new_tensor(taps).view(1, 1, 1, -1).expand(channels, 1, 1, -1)
        across = F.conv2d(padded, kernel, groups=channels)
        return torch.as_tensor(F.conv2d(across, kernel.transpose(2, 3), groups=channels))
