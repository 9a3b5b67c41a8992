"""Normalised mutual information with a Parzen histogram, differentiable in both pictures.

Studholme et al. 1999, "An overlap invariant entropy measure of 3D medical image alignment",
doi:10.1016/S0031-3203(98)00091-0; cubic B-spline windows: Thévenaz & Unser 2000, "Optimization of
mutual information for multiresolution image registration", doi:10.1109/83.887976.
"""

from __future__ import annotations

import torch
from torch import Tensor

from stainbridge.errors import InputError

#: Bins that each sample is spread over. The span ends a bin before the outermost ones, so that no
#: mass is lost.
SPLINE_BINS = 4


def nmi(
    fixed: Tensor,
    moving: Tensor,
    weight: Tensor | None = None,
    *,
    bins: int = 32,
    span: tuple[float, float] = (0.0, 1.0),
) -> Tensor:
    """Return (H(fixed) + H(moving)) / H(fixed, moving) of (N, 1, H, W) pictures, as (N,).

    It is 1 for independent and 2 for equal pictures. The window blurs the histogram by about a bin,
    so that even a picture with itself stays below 2. Values are clipped to `span`. `weight`
    broadcasts to the pictures. Takes `bins` times the memory of the pictures, twice. Raises
    `InputError` for fewer than 5 bins.
    """
    if bins <= SPLINE_BINS:
        raise InputError(
            "too few bins for a histogram", expected=f"more than {SPLINE_BINS}", got=bins
        )
    a = _memberships(fixed, bins, span)
    b = _memberships(moving, bins, span)
    if weight is not None:
        a = a * weight.expand_as(fixed).flatten(1)[..., None]
    joint = a.transpose(1, 2) @ b
    joint = joint / joint.sum((1, 2), keepdim=True).clamp_min(torch.finfo(joint.dtype).tiny)
    joint_entropy = _entropy(joint.flatten(1))
    marginal_entropies = _entropy(joint.sum(2)) + _entropy(joint.sum(1))
    return marginal_entropies / joint_entropy.clamp_min(torch.finfo(joint.dtype).eps)


def _memberships(x: Tensor, bins: int, span: tuple[float, float]) -> Tensor:
    """Return how much each sample of (N, 1, H, W) belongs to each bin, (N, H·W, bins).

    The sum over the bins is 1.
    """
    low, high = span
    place = 1 + ((x.flatten(1) - low) / (high - low)).clamp(0, 1) * (bins - SPLINE_BINS + 1)
    before = place.detach().floor().clamp(max=bins - SPLINE_BINS + 1)
    index = before.long()[..., None] + torch.arange(-1, 3, device=x.device)
    memberships: Tensor = x.new_zeros(*place.shape, bins).scatter(
        2, index, _cubic_b_spline(place - before)
    )
    return memberships


def _cubic_b_spline(t: Tensor) -> Tensor:
    """Return the shares, (..., 4), of the four bins around a place.

    The place lies 0 ≤ t ≤ 1 after the second of them.
    """
    rest = 1 - t
    outer = (rest.pow(3), t.pow(3))
    inner = (4 - 6 * t.square() + 3 * t.pow(3), 4 - 6 * rest.square() + 3 * rest.pow(3))
    return torch.stack((outer[0], *inner, outer[1]), -1) / 6


def _entropy(p: Tensor) -> Tensor:
    entropy: Tensor = torch.special.entr(p.clamp_min(torch.finfo(p.dtype).tiny)).sum(-1)
    return entropy
