"""Weighted averages over pictures."""

from __future__ import annotations

from torch import Tensor


def average_weighted(values: Tensor, weight: Tensor | None = None) -> Tensor:
    """Average (N, C, H, W) over channels and pixels, as (N,); `weight` ≥ 0 broadcasts to it.

    A sample whose weights are all 0 has mean 0, and no gradient.
    """
    if weight is None:
        return values.mean((1, 2, 3))
    weight = weight.to(values).expand_as(values)
    total = weight.sum((1, 2, 3))
    return (values * weight).sum((1, 2, 3)) / total.where(total > 0, 1)
