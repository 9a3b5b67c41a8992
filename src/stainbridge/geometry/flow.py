"""Differentiable displacement fields, (N, 2, H, W) in pixels, channels dx, dy, as networks give.

A field u takes the pixel at x to x + u(x). Samples lie at pixel centres; beyond the outermost ones
their values continue.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.geometry.affine_grid import affine_grid


def pixel_grid(height: int, width: int, like: Tensor) -> Tensor:
    """Return x and y of the pixels, (1, 2, H, W), counted from the centre of the first one."""
    y = torch.arange(height, dtype=like.dtype, device=like.device)
    x = torch.arange(width, dtype=like.dtype, device=like.device)
    return torch.stack(torch.meshgrid(x, y, indexing="xy"))[None]


def sample(image: Tensor, position: Tensor, padding: str = "border") -> Tensor:
    """Interpolate `image` (N, C, H, W) linearly at pixel positions (N, 2, h, w): (N, C, h, w)."""
    height, width = image.shape[-2:]
    size = position.new_tensor([width, height]).view(1, 2, 1, 1)
    grid = ((2 * position + 1) / size - 1).permute(0, 2, 3, 1)
    return F.grid_sample(image, grid, padding_mode=padding, align_corners=False)


def warp(image: Tensor, displacement: Tensor, padding: str = "border") -> Tensor:
    """Sample `image` (N, C, H, W) at x + u(x), (N, C, H, W)."""
    height, width = displacement.shape[-2:]
    return sample(image, pixel_grid(height, width, displacement) + displacement, padding)


def compose(first: Tensor, then: Tensor) -> Tensor:
    """Return the displacement of x ↦ x + `first` followed by `then`, all (N, 2, H, W)."""
    return first + warp(then, first)


def exponentiate(velocity: Tensor, squarings: int = 7) -> Tensor:
    """Return the displacement at time 1 of the flow along a velocity field, (N, 2, H, W).

    The velocity is stationary. Scaling and squaring, Arsigny et al. 2006: "A log-Euclidean
    framework for statistics on diffeomorphisms", doi:10.1007/11866565_113.
    """
    half = velocity.new_tensor([velocity.shape[-1], velocity.shape[-2]]).view(1, 2, 1, 1) / 2
    return exponentiate_normalised(velocity / half, squarings) * half


def exponentiate_normalised(velocity: Tensor, squarings: int) -> Tensor:
    """Exponentiate a velocity in `grid_sample` units to a displacement in the same units."""
    height, width = velocity.shape[-2:]
    identity = _centres(height, width, velocity.dtype, velocity.device)
    step: Tensor = velocity / 2**squarings
    for _ in range(squarings):
        step = step + F.grid_sample(
            step, identity + step.permute(0, 2, 3, 1), padding_mode="border", align_corners=False
        )
    return step


def _centres(height: int, width: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the `grid_sample` coordinates of the pixel centres, (1, H, W, 2)."""
    return affine_grid(torch.eye(2, 3, dtype=dtype, device=device)[None], height, width)


def resize(displacement: Tensor, height: int, width: int) -> Tensor:
    """Return the same map on a grid of another size, (N, 2, height, width), in its pixels."""
    factor = displacement.new_tensor(
        [width / displacement.shape[-1], height / displacement.shape[-2]]
    )
    larger = F.interpolate(displacement, (height, width), mode="bilinear", align_corners=False)
    return larger * factor.view(1, 2, 1, 1)


def affine_displacement(matrices: Tensor, height: int, width: int) -> Tensor:
    """Return the displacement, (N, 2, H, W), of affine maps (N, 2, 3).

    The matrices act on coordinates about the middle of the picture in units of half its longer
    side.
    """
    grid = pixel_grid(height, width, matrices)
    half = max(height, width) / 2
    middle = matrices.new_tensor([(width - 1) / 2, (height - 1) / 2]).view(1, 2, 1, 1)
    point = (grid - middle) / half
    moved = (
        torch.einsum("nij,mjhw->nihw", matrices[:, :, :2], point) + matrices[:, :, 2, None, None]
    )
    return (moved - point) * half
