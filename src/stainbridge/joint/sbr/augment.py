"""Random deformations of slices, each from a generator of its own."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.geometry.flow import affine_displacement, compose
from stainbridge.joint.sbr.config import SliceAugmentConfig


def draw_deformations(
    rng: np.random.Generator, config: SliceAugmentConfig, height: int, width: int
) -> tuple[Tensor, Tensor]:
    """Draw the displacements of two pictures, (1, 2, H, W) each, in pixels.

    Both pictures are turned together. Half of what lies between them is put on either side. Each
    has an elastic deformation of its own: nodes from a normal distribution of mean 0, between which
    displacements are linear (Casamitjana et al. 2021, section 3.2).
    """
    turn = np.radians(rng.uniform(-config.turn_deg, config.turn_deg))
    half_rotation = np.radians(rng.uniform(-config.rotation_deg, config.rotation_deg)) / 2
    half_scale = rng.uniform(-config.scale, config.scale) / 2
    half_shift = rng.uniform(-config.shift, config.shift, 2)  # of half the longer side
    sides = []
    for sign in (1, -1):
        matrix = _similarity(turn + sign * half_rotation, 1 + sign * half_scale, sign * half_shift)
        similarity = affine_displacement(matrix, height, width)
        sides.append(compose(_draw_elastic(rng, config, height, width), similarity))
    return sides[0], sides[1]


def _draw_elastic(
    rng: np.random.Generator, config: SliceAugmentConfig, height: int, width: int
) -> Tensor:
    amount_px = config.elastic * max(height, width)
    nodes = rng.normal(0, amount_px, (1, 2, config.nodes, config.nodes)).astype(np.float32)
    return F.interpolate(
        torch.from_numpy(nodes), (height, width), mode="bilinear", align_corners=True
    )


def _similarity(angle: float, scale: float, shift: np.ndarray) -> Tensor:
    """Return a similarity as an affine matrix (1, 2, 3) about the picture's middle."""
    cos = scale * np.cos(angle)
    sin = scale * np.sin(angle)
    matrix = np.array([[[cos, -sin, shift[0]], [sin, cos, shift[1]]]], np.float32)
    return torch.from_numpy(matrix)
