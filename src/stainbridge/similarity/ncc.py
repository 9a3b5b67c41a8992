"""Normalised cross-correlation: Pearson's coefficient, which ignores gain and offset."""

from __future__ import annotations

from torch import Tensor

from stainbridge.similarity.average import average_weighted


def ncc(fixed: Tensor, moving: Tensor, weight: Tensor | None = None, noise: float = 1e-8) -> Tensor:
    """Return the correlation of (N, C, H, W) pictures over all their samples, −1 to 1, as (N,).

    `weight` broadcasts to the pictures. `noise` is added to both variances, in squared grey values,
    so that a flat picture correlates 0 with a finite gradient.
    """
    fixed = _subtract_mean(fixed, weight)
    moving = _subtract_mean(moving, weight)
    variances = (average_weighted(fixed.square(), weight) + noise) * (
        average_weighted(moving.square(), weight) + noise
    )
    return average_weighted(fixed * moving, weight) * variances.rsqrt()


def _subtract_mean(x: Tensor, weight: Tensor | None) -> Tensor:
    return x - average_weighted(x, weight).view(-1, 1, 1, 1)
