"""Local agreement: where windows of tissue fit best when the warped section is shifted a little.

Under a right transform a window fits best where it lies, and clearly worse a little way off. Under
a wrong one a deformation still improves the similarity, but many windows fit better elsewhere, and
the others hardly prefer their own place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.geometry.transform import Transform
from stainbridge.registration.sections.section import Section
from stainbridge.registration.verdict.verification import (
    sample_coordinates,
    shrink_region,
    warp_density,
)
from stainbridge.similarity.lncc import LocalNCC

#: Longest side in pixels of the frame that is looked at.
SIZE_PX = 128
#: Radius in pixels of a window: it is an eighth of the picture across.
RADIUS_PX = 7
#: Shifts up to this many pixels count as the window's own place.
OWN_PLACE_PX = 1.5
#: Shifts of at least this many pixels count as another place.
OTHER_PLACE_PX = 3.0
#: Largest shift in pixels.
MAX_SHIFT_PX = 6.0
#: Windows overlap: every third pixel is the centre of one.
WINDOW_STEP_PX = 3


@dataclass(frozen=True)
class Agreement:
    """How the windows of the fixed tissue choose their place.

    Windows count by the standard deviation of the fixed density in them.
    """

    share: float
    """Share of the windows that fit best where they lie, 0 to 1."""
    lead: float
    """Mean local NCC at their own place less the best at another place."""


def measure_agreement(fixed: Section, moving: Section, transform: Transform) -> Agreement:
    """Let each window of the fixed tissue choose its place under `transform`.

    Where there is no window at all, share and lead are 0.
    """
    frame, target, _ = fixed.density_at(SIZE_PX)
    coordinates = sample_coordinates(transform, moving, frame)
    warped = warp_density(moving, frame, coordinates)
    local = LocalNCC.of(target, RADIUS_PX)
    inside = (coordinates[0].cpu().abs() <= 1).all(-1)
    weight = torch.from_numpy(shrink_region(fixed, frame)) * inside
    weight = (weight * local.variance[0, 0].cpu().sqrt())[1::WINDOW_STEP_PX, 1::WINDOW_STEP_PX]
    own, other = (_best(local.windows(_shift(warped, steps))).cpu() for steps in _steps())
    total = float(weight.sum())
    if total == 0:
        return Agreement(0.0, 0.0)
    share = float((weight * (own > other)).sum()) / total
    return Agreement(share, float((weight * (own - other)).sum()) / total)


def _steps() -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return steps (x, y) in pixels to a window's own place and, every second one, to others."""
    reach = range(-int(MAX_SHIFT_PX), int(MAX_SHIFT_PX) + 1)
    steps = [(x, y, float(np.hypot(x, y))) for y in reach for x in reach]
    own = [(x, y) for x, y, length in steps if length <= OWN_PLACE_PX]
    other = [
        (x, y)
        for x, y, length in steps
        if OTHER_PLACE_PX <= length <= MAX_SHIFT_PX and (x + y) % 2 == 0
    ]
    return own, other


def _shift(picture: Tensor, steps: list[tuple[int, int]]) -> Tensor:
    """Shift (1, 1, H, W) by each step, as (B, 1, H, W); borders are continued."""
    reach = int(MAX_SHIFT_PX)
    height, width = picture.shape[-2:]
    wide = F.pad(picture, (reach,) * 4, mode="replicate")
    return torch.cat([wide[..., reach + y :, reach + x :][..., :height, :width] for x, y in steps])


def _best(correlation: Tensor) -> Tensor:
    """Return the largest of (B, 1, H, W) at each window's centre, (h, w)."""
    return correlation[:, 0, 1::WINDOW_STEP_PX, 1::WINDOW_STEP_PX].amax(0)
