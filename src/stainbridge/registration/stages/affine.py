"""Affine refinement of several starts at once, coarse to fine, by local NCC of tissue density and
edges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.geometry.affine_grid import affine_grid
from stainbridge.registration.config import AffineConfig
from stainbridge.registration.parallel import spread
from stainbridge.registration.sections.section import Section
from stainbridge.registration.stages.search import Hypothesis, distinct
from stainbridge.similarity.lncc import LocalNCC
from stainbridge.types import Matrix

RATE_PX = 2.0  # of the first step
AGAIN = 0.5  # of it where a round of that size went before: what survived it is near its optimum
# against stretching one way: at 64 px wrong placements fit well if they may; finer ones know better
STIFFNESS = 1.0
APART = 0.05  # of the section's radius: starts that are nearer end in one place
#: So many samples and more are shared out over the cores; of fewer, two threads take longer than
#: one.
WORTH_SHARING = 2**17
RANK_APART = 0.15


@dataclass(frozen=True)
class _Round:
    """Longest side, steps and the first one's length in pixels, radius and spacing of the windows
    of one climb.
    """

    size: int
    steps: int
    rate_px: float
    radius: int
    window_step: int


RANKING = _Round(64, 0, RATE_PX, 6, 4)


def refine(
    fixed: Section,
    moving: Section,
    starts: list[Hypothesis],
    config: AffineConfig,
    threads: int = 1,
) -> list[Hypothesis]:
    """Climb from every start; after each round only the best distinct ones survive.

    Best first; scores are mean local NCC. Near the answer, sections that are stretched unlike have
    several optima, and the first round's pictures are too coarse to tell them apart: its best climb
    on from variations of themselves too.
    """
    for index, (size, steps, keep) in enumerate(
        zip(config.sizes_px, config.steps, config.keep, strict=True)
    ):
        if index == 1:
            best = starts[: config.varied]
            starts += [
                item for start in best for item in _variations(start, fixed, config.variation)
            ]
        rate = RATE_PX if size not in config.sizes_px[:index] else RATE_PX * AGAIN
        step = _Round(size, steps, rate, config.radius, config.window_step)
        starts = distinct(_climbed(fixed, moving, starts, step, threads), fixed, keep, APART)
    return starts


def ranked(
    fixed: Section, moving: Section, starts: list[Hypothesis], count: int
) -> list[Hypothesis]:
    """The best distinct `count` of many starts as they are, by the score that `refine` climbs.

    Correlation over whole charts lets one large unlike region outvote all small like ones. Where
    Ki67 meets CD31 the right start was 70th by it, and first by this.
    """
    return distinct(_climbed(fixed, moving, starts, RANKING, 1), fixed, count, RANK_APART)


def _climbed(
    fixed: Section, moving: Section, starts: list[Hypothesis], step: _Round, threads: int
) -> list[Hypothesis]:
    """All starts after a round, best first."""
    pieces = threads if len(starts) * step.size**2 >= WORTH_SHARING else 1
    scale = float(np.mean([np.sqrt(abs(np.linalg.det(start.matrix[:2, :2]))) for start in starts]))
    batches = [
        [start.matrix for start in starts[first::pieces]]
        for first in range(min(pieces, len(starts)))
    ]
    found = spread(lambda batch: _climb(fixed, moving, batch, step, scale), batches, threads)
    return sorted((item for batch in found for item in batch), key=lambda item: -item.score)


def _variations(start: Hypothesis, fixed: Section, amount: float) -> list[Hypothesis]:
    """`start` after small stretches, turns and scalings of the fixed section about its centre."""
    stretch = np.diag([1 + amount, 1 / (1 + amount)])
    shear = np.array([[1.0, amount], [amount, 1.0]])
    turn = np.array([[np.cos(amount), -np.sin(amount)], [np.sin(amount), np.cos(amount)]])
    centre = np.asarray(fixed.centre_um)
    varied = []
    for linear in (stretch, shear, turn, np.eye(2) * (1 + amount)):
        for move in (linear, np.linalg.inv(linear)):
            about = np.eye(3)
            about[:2, :2], about[:2, 2] = move, centre - move @ centre
            varied.append(Hypothesis(start.matrix @ about, start.score))
    return varied


def _climb(
    fixed: Section, moving: Section, matrices: list[Matrix], step: _Round, scale: float
) -> list[Hypothesis]:
    """`scale`: moving µm per fixed µm, about."""
    size, rate = step.size, step.rate_px / step.size
    frame, target, outline = fixed.planes_at(size)
    longest = max(moving.frame.size_um) / (max(frame.mpp) * scale)
    _, source, _ = moving.planes_at(max(8, round(longest)))
    similarity = LocalNCC.of(target, step.radius, step=step.window_step)
    weight = similarity.focus(
        outline, 0.5
    )  # by standard deviation; by variance, few windows decide
    unit = frame.to_half_sides  # in which all parameters are of one size
    before = torch.tensor(unit @ frame.from_normalised, dtype=torch.float32)
    after = np.linalg.inv(moving.frame.from_normalised) @ np.stack(matrices) @ np.linalg.inv(unit)
    after_step = torch.tensor(after, dtype=torch.float32)
    change = torch.zeros(len(matrices), 2, 3, requires_grad=True)
    optimiser = torch.optim.Adam([change], lr=rate, betas=(0.9, 0.95))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimiser, max(1, step.steps), eta_min=rate / 10
    )
    expanded = source.expand(len(matrices), -1, -1, -1)

    linear, stiffness = (
        torch.tensor(np.stack(matrices)[:, :2, :2], dtype=torch.float32),
        STIFFNESS * (64 / size) ** 2,
    )

    def score() -> Tensor:
        moved = torch.eye(3) + F.pad(change, (0, 0, 0, 1))
        theta = (after_step @ moved @ before)[:, :2]
        where = affine_grid(theta, frame.height, frame.width)
        inside = (where.detach().abs() <= 1).all(-1)[:, None]
        warped = F.grid_sample(expanded, where, padding_mode="border", align_corners=False)
        return similarity(
            warped, weight * similarity.at_windows(inside.float())
        ) - stiffness * _stretch(linear @ moved[:, :2, :2])

    for _ in range(step.steps):
        optimiser.zero_grad()
        (-score()).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        final = score().tolist()
    moves = np.eye(3) + np.pad(change.detach().double().cpu().numpy(), ((0, 0), (0, 1), (0, 0)))
    found = np.stack(matrices) @ np.linalg.inv(unit) @ moves @ unit
    return [Hypothesis(matrix, value) for matrix, value in zip(found, final, strict=True)]


def _stretch(linear: Tensor) -> Tensor:
    """About the squared logarithm of the ratio of singular values of (B, 2, 2) matrices, as (B,): 0
    of similarities.
    """
    area = linear[:, 0, 0] * linear[:, 1, 1] - linear[:, 0, 1] * linear[:, 1, 0]
    return linear.square().sum((1, 2)) / area.abs().clamp_min(1e-6) - 2
