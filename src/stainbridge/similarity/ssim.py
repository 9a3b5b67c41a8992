"""Structural similarity, in the two forms in use, which are not comparable.

Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity",
doi:10.1109/TIP.2003.819861: an 11 x 11 Gaussian window, σ 1.5. Much software, scikit-image by
default, takes a 7 x 7 uniform window and sample covariances instead.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor

from stainbridge.errors import InputError
from stainbridge.similarity.average import average_weighted

SsimWindow: TypeAlias = Literal["uniform7", "gaussian11"]

#: Stabilises the luminance term, as a share of the span; the paper's.
K1 = 0.01
#: Stabilises the contrast term, as a share of the span; the paper's.
K2 = 0.03
#: Standard deviation of the Gaussian window, in pixels; the paper's.
SIGMA_PX = 1.5


def ssim(
    fixed: Tensor,
    moving: Tensor,
    weight: Tensor | None = None,
    *,
    window: SsimWindow,
    span: float = 1.0,
) -> Tensor:
    """Return the mean SSIM of (N, C, H, W) pictures over channels and whole windows, as (N,).

    It is at most 1. `span` is the range of possible values (1, or 255). `weight` (N or 1, 1 or C,
    H, W) is taken at the windows' centres. Raises `InputError` for pictures smaller than the
    window.
    """
    values = ssim_map(fixed, moving, window=window, span=span)
    if weight is None:
        return average_weighted(values)
    margin = (fixed.shape[-1] - values.shape[-1]) // 2
    return average_weighted(values, weight[..., margin:-margin, margin:-margin])


def ssim_map(fixed: Tensor, moving: Tensor, *, window: SsimWindow, span: float = 1.0) -> Tensor:
    """Return the SSIM of every whole window of (N, C, H, W) pictures.

    (N, C, H − 6, W − 6) for "uniform7" and (N, C, H − 10, W − 10) for "gaussian11".
    """
    profile, unbiased = _profile(window, fixed)
    if min(fixed.shape[-2:]) < len(profile):
        raise InputError(
            "the picture is smaller than the SSIM window",
            expected=f"≥ {len(profile)} px",
            got=tuple(fixed.shape[-2:]),
        )
    mean_f = _average_windows(fixed, profile)
    mean_m = _average_windows(moving, profile)
    var_f = (_average_windows(fixed.square(), profile) - mean_f.square()) * unbiased
    var_m = (_average_windows(moving.square(), profile) - mean_m.square()) * unbiased
    covariance = (_average_windows(fixed * moving, profile) - mean_f * mean_m) * unbiased
    c1 = (K1 * span) ** 2
    c2 = (K2 * span) ** 2
    luminance = (2 * mean_f * mean_m + c1) / (mean_f.square() + mean_m.square() + c1)
    return luminance * (2 * covariance + c2) / (var_f + var_m + c2)


def _profile(window: SsimWindow, like: Tensor) -> tuple[Tensor, float]:
    """Return the window's one-dimensional weights, which sum to 1, and its covariances' factor.

    The factor 49 / 48 makes the covariances of the uniform window those of a sample.
    """
    if window == "uniform7":
        return like.new_full((7,), 1 / 7), 49 / 48
    weights = torch.exp(
        -torch.arange(-5, 6, device=like.device, dtype=like.dtype).square() / (2 * SIGMA_PX**2)
    )
    return weights / weights.sum(), 1.0


def _average_windows(x: Tensor, profile: Tensor) -> Tensor:
    """Average over every whole window.

    Products with banded matrices are much faster than a convolution.
    """
    return _bands(profile, x.shape[-2]) @ x @ _bands(profile, x.shape[-1]).T


def _bands(profile: Tensor, length: int) -> Tensor:
    """Return a matrix (windows, length) whose row i holds the profile from column i on."""
    bands = profile.new_zeros(length - len(profile) + 1, length)
    for offset, weight in enumerate(profile):
        bands.diagonal(offset).fill_(weight)
    return bands
