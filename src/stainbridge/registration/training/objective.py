"""Losses of registration networks, from the similarity measures."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor

from stainbridge.registration.training.augment import MAX_DENSITY
from stainbridge.registration.training.config import LossConfig
from stainbridge.similarity.regularity import bending_energy, curvature, diffusion, total_variation
from stainbridge.similarity.similarities import find_similarity

#: A roughness of fields (N, 2, h, w) in pixels of their own grid: (N,).
Regulariser: TypeAlias = Callable[[Tensor], Tensor]

#: Regularisers by name; `LossConfig.regulariser` has the same names.
REGULARISERS: dict[str, Regulariser] = {
    "tv": total_variation,
    "diffusion": diffusion,
    "bending": bending_energy,
    "curvature": curvature,
}


def dissimilarity(fixed: Tensor, moving: Tensor, weight: Tensor, config: LossConfig) -> Tensor:
    """Return the dissimilarity of densities (N, 1, H, W), a scalar; lower is better.

    `weight` (N, 1, H, W) says how much each pixel counts.
    """
    similarity = find_similarity(config.similarity)
    span = (0.0, MAX_DENSITY)
    return -similarity(fixed, moving, weight, radius=config.radius, span=span).mean()


def roughness(displacement: Tensor, config: LossConfig) -> Tensor:
    """Return the regulariser of fields (N, 2, h, w) in pixels of their own grid, a scalar."""
    return REGULARISERS[config.regulariser](displacement).mean()


def error_px(displacement: Tensor, truth: Tensor, tissue: Tensor) -> Tensor:
    """Return mean distances (N,) in pixels of fields (N, 2, H, W) over `tissue` (N, 1, H, W)."""
    distance = ((displacement - truth).square().sum(1, keepdim=True) + 1e-6).sqrt()
    return (distance * tissue).sum((1, 2, 3)) / tissue.sum((1, 2, 3)).clamp_min(1)
