"""Losses of registration networks, from the similarity measures."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor

from stainbridge.registration.training.config import LossConfig
from stainbridge.similarity.lncc import local_ncc
from stainbridge.similarity.mind import mind_distance
from stainbridge.similarity.ncc import ncc
from stainbridge.similarity.ngf import ngf
from stainbridge.similarity.nmi import nmi
from stainbridge.similarity.regularity import bending_energy, curvature, diffusion, total_variation

MAX_DENSITY = 1.2
Regulariser: TypeAlias = Callable[[Tensor], Tensor]
REGULARISERS: dict[str, Regulariser] = {
    "tv": total_variation,
    "diffusion": diffusion,
    "bending": bending_energy,
    "curvature": curvature,
}


def dissimilarity(fixed: Tensor, moving: Tensor, weight: Tensor, config: LossConfig) -> Tensor:
    """How unlike densities (N, 1, H, W) are where `weight` (N, 1, H, W) says, a scalar; lower is
    better.
    """
    match config.similarity:
        case "ncc":
            score = -ncc(fixed, moving, weight)
        case "local-ncc":
            score = -local_ncc(fixed, moving, weight, config.radius)
        case "nmi":
            score = -nmi(fixed, moving, weight, span=(0.0, MAX_DENSITY))
        case "mind-ssc":
            score = mind_distance(fixed, moving, weight)
        case "ngf":
            score = -ngf(fixed, moving, weight)
    return score.mean()


def roughness(displacement: Tensor, config: LossConfig) -> Tensor:
    """The regulariser of fields (N, 2, h, w) in pixels of their own grid, a scalar."""
    return REGULARISERS[config.regulariser](displacement).mean()


def error_px(displacement: Tensor, truth: Tensor, tissue: Tensor) -> Tensor:
    """Mean distance (N,) in pixels between fields (N, 2, H, W) over `tissue` (N, 1, H, W)."""
    distance = ((displacement - truth).square().sum(1, keepdim=True) + 1e-6).sqrt()
    return (distance * tissue).sum((1, 2, 3)) / tissue.sum((1, 2, 3)).clamp_min(1)
