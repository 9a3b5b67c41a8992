"""Losses on Gaussian pyramids, for pairs that are aligned in structure but not to the pixel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.errors import InputError

BLURS = 4
#: 3 taps of a Gaussian of σ 1, and the 5 binomial ones of Burt & Adelson 1983.
GAUSSIAN = (0.27406862, 0.45186276, 0.27406862)
BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


def multi_scale(made: Tensor, real: Tensor, weights: Sequence[float]) -> Tensor:
    """Σ λ_i S_i over pictures (N, C, H, W), a scalar: `weights` are λ_1, λ_2, ... (pyramid pix2pix,
    eq. 1 and 2).

    S_i is the mean absolute difference of the first layers of octave i, from octave 1 on: `()` is
    0, one weight S1, three S1 + S2 + S3. Raises `InputError` when the pictures are too small for so
    many octaves.
    """
    total = made.new_zeros(())
    for weight in weights:
        made, real = next_octave(made), next_octave(real)
        total = total + weight * F.l1_loss(made, real)
    return total


def next_octave(pictures: Tensor) -> Tensor:
    """(N, C, H, W) to (N, C, ⌈H / 2⌉, ⌈W / 2⌉): four 3 x 3 Gaussian blurs of σ 1, then every second
    pixel.
    """
    for _ in range(BLURS):
        pictures = blurred(pictures, GAUSSIAN)
    return pictures[..., ::2, ::2]


def gaussian_l1(made: Tensor, real: Tensor, weights: Sequence[float]) -> Tensor:
    """Weighted mean absolute differences at full resolution and at each halving below it, the
    finest first; a scalar.

    Li et al. 2023, arXiv:2303.06193: 1/64, 1/32, 1/16, 1/8, 1/4, 1.
    """
    total = made.new_zeros(())
    for level, weight in enumerate(weights):
        if level:
            made, real = (blurred(x, BINOMIAL)[..., ::2, ::2] for x in (made, real))
        total = total + weight * F.l1_loss(made, real)
    return total


def blurred(pictures: Tensor, taps: Sequence[float]) -> Tensor:
    """(N, C, H, W) convolved with `taps`, an odd number of them, across and down; borders reflect.

    Never in mixed precision: blurred pictures differ by less than its rounding.
    """
    channels, (height, width), reach = pictures.shape[1], pictures.shape[-2:], len(taps) // 2
    if min(height, width) <= reach:
        raise InputError(
            "pictures too small for so many scales",
            expected=f"over {reach} px left at the last",
            got=(height, width),
            remedy="use larger tiles or fewer scales",
        )
    with torch.autocast(pictures.device.type, enabled=False):
        padded = F.pad(pictures.float(), (reach, reach, reach, reach), mode="reflect")
        kernel = padded.new_tensor(taps).view(1, 1, 1, -1).expand(channels, 1, 1, -1)
        across = F.conv2d(padded, kernel, groups=channels)
        return torch.as_tensor(F.conv2d(across, kernel.transpose(2, 3), groups=channels))
