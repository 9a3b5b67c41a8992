"""Stationary velocity fields: gradient steps on one, and the flow that it generates.

Scaling and squaring: Arsigny et al. 2006, doi:10.1007/11866565_113.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.geometry.flow import exponentiate_normalised
from stainbridge.registration.stages.adam import minimise
from stainbridge.similarity.lncc import LocalNCC
from stainbridge.similarity.similarities import find_similarity

#: Squarings of the velocity field's exponential.
SQUARINGS = 5
#: Nodes, (h, w), that a velocity field begins with.
INITIAL_NODES = (4, 4)
#: Least number of nodes along a side.
MIN_NODES = 4
#: Last step length as a share of the first. Steps that stay long leave their own jitter, which on
#: rescanned slides is pixels of it.
LAST_RATE = 0.05
#: How much Adam keeps of the mean gradient and of its mean square.
BETAS = (0.9, 0.99)
#: The similarity that has a fast form of its own here.
LOCAL_NCC = "local-ncc"

#: Takes a flow (1, 2, H, W) and returns the warped moving planes (1, C, H, W).
Warp: TypeAlias = Callable[[Tensor], Tensor]


class VelocitySettings(Protocol):
    """What the gradient steps depend on."""

    @property
    def similarity(self) -> str:
        """What is optimised; see `similarity.similarities`."""

    @property
    def radius(self) -> int:
        """Radius of the similarity's windows, in pixels, where it has windows."""

    @property
    def window_step(self) -> int:
        """Distance between windows of the local NCC, in pixels."""

    @property
    def smoothness(self) -> float:
        """Weight of the diffusion regulariser."""

    @property
    def rate_px(self) -> float:
        """Length of the first steps, in pixels."""


def optimise_velocity(
    velocity: Tensor,
    target: Tensor,
    weight: Tensor,
    warp: Warp,
    config: VelocitySettings,
    steps: int,
) -> Tensor:
    """Return a velocity field (1, 2, h, w) after `steps` gradient steps.

    They increase the similarity of `target` (1, C, H, W) with what `warp` returns for the flow
    (1, 2, H, W). Both flow and velocity are in `grid_sample` units of the target; `weight`
    (1, 1, H, W) says where it counts.
    """
    velocity = velocity.requires_grad_(True)
    measure = _make_similarity(target, weight, config)
    rate = 2 * config.rate_px / max(target.shape[-2:])

    def measure_loss() -> Tensor:
        flow = integrate_velocity(velocity, *target.shape[-2:])
        return config.smoothness * _diffusion(to_cells(velocity)) - measure(warp(flow))

    minimise(velocity, measure_loss, steps, rate=rate, last_rate=rate * LAST_RATE, betas=BETAS)
    return velocity.detach()


def _make_similarity(
    target: Tensor, weight: Tensor, config: VelocitySettings
) -> Callable[[Tensor], Tensor]:
    """Return the similarity of `target` with warped planes (1, C, H, W), a number."""
    if config.similarity == LOCAL_NCC:
        local_ncc = LocalNCC.of(target, config.radius, step=config.window_step)
        focused = local_ncc.focus(weight)
        return lambda warped: local_ncc(warped, focused)[0]
    similarity = find_similarity(config.similarity)
    planes = target.transpose(0, 1)
    return lambda warped: similarity(
        planes, warped.transpose(0, 1), weight, radius=config.radius
    ).mean()


def integrate_velocity(velocity: Tensor, height: int, width: int) -> Tensor:
    """Return the flow of a velocity on nodes, at the pixels of a picture of that size."""
    flow = exponentiate_normalised(velocity, SQUARINGS)
    return F.interpolate(flow, (height, width), mode="bilinear", align_corners=False)


def resample_nodes(velocity: Tensor, height: int, width: int, spacing_px: float) -> Tensor:
    """Return a velocity field on nodes every `spacing_px` of a picture of that size."""
    rows = max(MIN_NODES, round(height / spacing_px))
    columns = max(MIN_NODES, round(width / spacing_px))
    return F.interpolate(velocity, (rows, columns), mode="bicubic", align_corners=False)


def to_cells(displacement: Tensor) -> Tensor:
    """Return a field (1, 2, h, w) in `grid_sample` units in cells of its own grid."""
    height, width = displacement.shape[-2:]
    return displacement * torch.tensor([width / 2, height / 2]).view(1, 2, 1, 1)


def _diffusion(u: Tensor) -> Tensor:
    """Return the mean squared difference of neighbouring nodes, u in node spacings."""
    down, across = u[:, :, 1:] - u[:, :, :-1], u[..., 1:] - u[..., :-1]
    energy: Tensor = down.square().mean() + across.square().mean()
    return energy
