"""Where windows of tissue would rather lie: the warped section is moved a little every way, and
each window chooses.

Under a right map a window fits best where it lies, and clearly worse a little way off. Under a
wrong one bending still climbs whatever it finds, but many windows would rather lie elsewhere, and
those that would not care little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.geometry.transform import Transform
from stainbridge.registration.sections.section import Section
from stainbridge.registration.verdict.verification import sampling, tissue_on, warped_density
from stainbridge.similarity.lncc import LocalNCC

SIZE_PX = 128
RADIUS = 7  # of a window: an eighth of the picture across
NEAR_PX, FAR_PX, REACH_PX = 1.5, 3.0, 6.0
EVERY = 3  # windows overlap: every third pixel is the centre of one


@dataclass(frozen=True)
class Agreement:
    """`share`: of the fixed tissue's windows, how many fit best where they lie, within 1.5 px of
    128, 0 to 1.

    `lead`: by how much their local NCC there exceeds the best 3 to 6 px away, in the mean; below 0
    it does not. Windows count by the standard deviation of the fixed density in them.
    """

    share: float
    lead: float


def agreement(fixed: Section, moving: Section, transform: Transform) -> Agreement:
    """What the windows of the fixed tissue choose under `transform`; no window at all agrees in
    nothing.
    """
    frame, target, _ = fixed.at(SIZE_PX)
    where = sampling(transform, moving, frame)
    warped = warped_density(moving, frame, where)
    near, far = _moves()
    local = LocalNCC.of(target, RADIUS)
    weight = torch.from_numpy(tissue_on(fixed, frame)) * (where[0].cpu().abs() <= 1).all(-1)
    weight = (weight * local.variance[0, 0].cpu().sqrt())[1::EVERY, 1::EVERY]
    here, there = (_best(local.windows(_moved(warped, moves))).cpu() for moves in (near, far))
    total = float(weight.sum())
    if total == 0:
        return Agreement(0.0, 0.0)
    return Agreement(
        float((weight * (here > there)).sum()) / total,
        float((weight * (here - there)).sum()) / total,
    )


def _moves() -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Steps (x, y) in pixels to nearby places and, every second one, to places farther off."""
    reach = range(-int(REACH_PX), int(REACH_PX) + 1)
    steps = [(x, y, float(np.hypot(x, y))) for y in reach for x in reach]
    near = [(x, y) for x, y, far in steps if far <= NEAR_PX]
    return near, [(x, y) for x, y, far in steps if FAR_PX <= far <= REACH_PX and (x + y) % 2 == 0]


def _moved(picture: Tensor, steps: list[tuple[int, int]]) -> Tensor:
    """(1, 1, H, W) moved by each step, as (B, 1, H, W); borders are continued."""
    reach, (height, width) = int(REACH_PX), picture.shape[-2:]
    wide = F.pad(picture, (reach,) * 4, mode="replicate")
    return torch.cat([wide[..., reach + y :, reach + x :][..., :height, :width] for x, y in steps])


def _best(correlation: Tensor) -> Tensor:
    """(B, 1, H, W) to the largest at each window's centre, (h, w)."""
    return correlation[:, 0, 1::EVERY, 1::EVERY].amax(0)
