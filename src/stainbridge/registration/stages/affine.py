"""Affine refinement of several candidates at once, coarse to fine.

Local NCC of tissue density and edges is optimised by gradient steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.compute import parallel_map
from stainbridge.errors import InputError
from stainbridge.geometry.affine_grid import affine_grid
from stainbridge.ranges import Share, Within, check_ranges
from stainbridge.registration.sections.section import Section
from stainbridge.registration.stages.adam import minimise
from stainbridge.registration.stages.hypothesis import (
    Hypothesis,
    select_distinct,
    sort_hypotheses,
)
from stainbridge.registration.stages.stage import (
    Phase,
    Proposal,
    Stage,
    StageConfig,
    StageProgress,
    State,
)
from stainbridge.similarity.lncc import LocalNCC
from stainbridge.types import Matrix

#: What a placement may do.
PlacementModel = Literal["rigid", "affine"]

#: Length of the first step, in pixels.
RATE_PX = 2.0
#: Share of that length where a round of the same size went before: what survived it is near its
#: optimum.
REPEATED_RATE = 0.5
#: First step length over the last.
RATE_DECAY = 10
#: How much Adam keeps of the mean gradient and of its mean square.
BETAS = (0.9, 0.95)
#: Weight against stretching one way, at 64 px. Wrong placements fit well if they may stretch; finer
#: rounds tell them apart and need less of it.
STIFFNESS = 1.0
#: Size in pixels at which `STIFFNESS` holds; it falls with the square of the size.
STIFFNESS_PX = 64
#: Candidates nearer than this share of the section's radius end in one place.
DISTINCT_RADIUS_SHARE = 0.05
#: The same when many candidates are ranked as they are.
RANKING_RADIUS_SHARE = 0.15
#: Samples from which on work is shared between threads; with fewer, two threads take longer.
SHARED_SAMPLES = 2**17
#: Exponent of the fixed windows' variance in their weight: by variance itself, few windows decide.
FOCUS_EXPONENT = 0.5


@dataclass(frozen=True)
class AffineConfig(StageConfig):
    """Settings of the affine refinement; the tuples have one entry a round, coarse to fine.

    Raises `InputError` for tuples of unequal lengths.

    Example:
        >>> affine = stainbridge.AffineConfig(sizes_px=(64, 128), steps=(40, 30), survivors=(4, 1))
        >>> stainbridge.RegisterConfig().with_stage(affine).stages[1].sizes_px
        (64, 128)

    """

    kind: Literal["affine"] = field(default="affine", kw_only=True)
    """The stage's name in a pipeline file."""
    sizes_px: Annotated[tuple[int, ...], Within(16, 8192)] = (64, 128, 256, 256)
    """Longest side of the pictures, in pixels."""
    steps: Annotated[tuple[int, ...], Within(0, 100_000)] = (40, 30, 15, 60)
    """Gradient steps."""
    survivors: Annotated[tuple[int, ...], Within(1, 1000)] = (6, 6, 2, 1)
    """Distinct candidates that survive the round."""
    varied: Annotated[int, Within(0, 1000)] = 3
    """Best candidates after the first round that variations are added of."""
    variation: Share = 0.08
    """How far these are stretched, turned and scaled, as a share."""
    radius: Annotated[int, Within(1, 256)] = 12
    """Radius of the local NCC's windows, in pixels."""
    window_step: Annotated[int, Within(1, 256)] = 4
    """Distance between windows, in pixels."""
    model: PlacementModel = "affine"
    """What placements may do: `affine`, or `rigid`, which turns, mirrors and shifts only."""

    def __post_init__(self) -> None:
        check_ranges(self)
        rounds = len(self.sizes_px)
        if not rounds:
            raise InputError("affine: sizes_px must not be empty", got=self.sizes_px)
        if len(self.steps) != rounds:
            raise InputError(
                "affine: one number of steps per size", expected=rounds, got=len(self.steps)
            )
        if len(self.survivors) != rounds:
            raise InputError(
                "affine: one number of survivors per size", expected=rounds, got=len(self.survivors)
            )


@dataclass(frozen=True, eq=False)
class AffineStage(Stage):
    """Affine refinement of the candidates."""

    config: AffineConfig
    kind: ClassVar[str] = "affine"
    name: ClassVar[str] = "affine"
    phase: ClassVar[Phase] = "placement"
    config_type: ClassVar[type[StageConfig]] = AffineConfig
    baseline: ClassVar[str] = "the search's own placement"

    def __call__(self, state: State, progress: StageProgress) -> Proposal | None:  # noqa: ARG002
        """Propose the best refined candidate; None where there is none to refine."""
        if not state.candidates:
            return None
        problem = state.problem
        candidates = list(state.candidates)
        threads = problem.context.threads
        refined = refine_hypotheses(*problem.sections, candidates, self.config, threads)
        return Proposal(tuple(refined[:1]))


@dataclass(frozen=True)
class _Round:
    """One round of refinement."""

    size: int
    """Longest side of the pictures, in pixels."""
    steps: int
    """Gradient steps."""
    rate_px: float
    """Length of the first one, in pixels."""
    radius: int
    """Radius of the windows, in pixels."""
    window_step: int
    """Distance between windows, in pixels."""
    model: PlacementModel = "affine"
    """What the steps may do to a candidate."""


#: Candidates are ranked as they are: no steps.
RANKING = _Round(64, 0, RATE_PX, 6, 4)


def refine_hypotheses(
    fixed: Section,
    moving: Section,
    hypotheses: list[Hypothesis],
    config: AffineConfig,
    threads: int = 1,
) -> list[Hypothesis]:
    """Optimise every candidate; after each round only the best distinct ones survive.

    Best first; scores are mean local NCC. Sections that are stretched differently have several
    optima near the answer, and the first round's pictures are too coarse to tell them apart.
    Therefore variations of its best are added to the second round.
    """
    for index, (size, steps, count) in enumerate(
        zip(config.sizes_px, config.steps, config.survivors, strict=True)
    ):
        if index == 1:
            best = hypotheses[: config.varied]
            hypotheses += [
                variation
                for hypothesis in best
                for variation in _vary(hypothesis, fixed, config.variation, config.model)
            ]
        rate = RATE_PX if size not in config.sizes_px[:index] else RATE_PX * REPEATED_RATE
        step = _Round(size, steps, rate, config.radius, config.window_step, config.model)
        optimised = _optimise_all(fixed, moving, hypotheses, step, threads)
        hypotheses = select_distinct(optimised, fixed, count, DISTINCT_RADIUS_SHARE)
    return hypotheses


def rank_hypotheses(
    fixed: Section, moving: Section, hypotheses: list[Hypothesis], count: int
) -> list[Hypothesis]:
    """Return the best distinct `count` candidates as they are, by the score of the refinement.

    In a correlation over whole charts one large unlike region outvotes all small like ones. Where
    Ki67 meets CD31 the right candidate was 70th by it, and first by this.
    """
    scored = _optimise_all(fixed, moving, hypotheses, RANKING, 1)
    return select_distinct(scored, fixed, count, RANKING_RADIUS_SHARE)


def _optimise_all(
    fixed: Section, moving: Section, hypotheses: list[Hypothesis], step: _Round, threads: int
) -> list[Hypothesis]:
    """Return all candidates after a round, best first."""
    pieces = threads if len(hypotheses) * step.size**2 >= SHARED_SAMPLES else 1
    scales = [np.sqrt(abs(np.linalg.det(item.matrix[:2, :2]))) for item in hypotheses]
    scale = float(np.mean(scales))
    batches = [
        [hypothesis.matrix for hypothesis in hypotheses[first::pieces]]
        for first in range(min(pieces, len(hypotheses)))
    ]
    optimised = parallel_map(
        lambda batch: _optimise(fixed, moving, batch, step, scale), batches, threads
    )
    return sort_hypotheses([hypothesis for batch in optimised for hypothesis in batch])


def _vary(
    hypothesis: Hypothesis, fixed: Section, amount: float, model: PlacementModel
) -> list[Hypothesis]:
    """Return a candidate after small stretches, turns and scalings about the fixed centre.

    A rigid one is turned only.
    """
    stretch = np.diag([1 + amount, 1 / (1 + amount)])
    shear = np.array([[1.0, amount], [amount, 1.0]])
    turn = np.array([[np.cos(amount), -np.sin(amount)], [np.sin(amount), np.cos(amount)]])
    centre = np.asarray(fixed.centre_um)
    variations = []
    moves = (turn,) if model == "rigid" else (stretch, shear, turn, np.eye(2) * (1 + amount))
    for linear in moves:
        for move in (linear, np.linalg.inv(linear)):
            about_centre = np.eye(3)
            about_centre[:2, :2] = move
            about_centre[:2, 2] = centre - move @ centre
            variations.append(Hypothesis(hypothesis.matrix @ about_centre, hypothesis.score))
    return variations


def _optimise(
    fixed: Section, moving: Section, matrices: list[Matrix], step: _Round, scale: float
) -> list[Hypothesis]:
    """Optimise one batch of candidates.

    `scale` is their mean scale, moving µm per fixed µm.
    """
    size = step.size
    rate = step.rate_px / size
    frame, target, outline = fixed.planes_at(size)
    longest = max(moving.frame.size_um) / (max(frame.mpp) * scale)
    _, source, _ = moving.planes_at(max(8, round(longest)))
    similarity = LocalNCC.of(target, step.radius, step=step.window_step)
    weight = similarity.focus(outline, FOCUS_EXPONENT)
    unit = frame.to_half_sides  # in which all parameters are of one size
    before = torch.tensor(unit @ frame.from_normalised, dtype=torch.float32)
    after = np.linalg.inv(moving.frame.from_normalised) @ np.stack(matrices) @ np.linalg.inv(unit)
    after_change = torch.tensor(after, dtype=torch.float32)
    count = 3 if step.model == "rigid" else 6
    change = torch.zeros(len(matrices), count, requires_grad=True)
    sources = source.expand(len(matrices), -1, -1, -1)
    linear = torch.tensor(np.stack(matrices)[:, :2, :2], dtype=torch.float32)
    stiffness = STIFFNESS * (STIFFNESS_PX / size) ** 2

    def score_all() -> Tensor:
        moved = _make_moves(change)
        theta = (after_change @ moved @ before)[:, :2]
        coordinates = affine_grid(theta, frame.height, frame.width)
        inside = (coordinates.detach().abs() <= 1).all(-1)[:, None]
        warped = F.grid_sample(sources, coordinates, padding_mode="border", align_corners=False)
        visible = weight * similarity.at_windows(inside.float())
        stretch = _measure_stretch(linear @ moved[:, :2, :2])
        return similarity(warped, visible) - stiffness * stretch

    def measure_loss() -> Tensor:
        return -score_all().sum()

    minimise(change, measure_loss, step.steps, rate=rate, last_rate=rate / RATE_DECAY, betas=BETAS)
    with torch.no_grad():
        scores = score_all().tolist()
    moves = _make_moves(change.detach().double()).cpu().numpy()
    optimised = np.stack(matrices) @ np.linalg.inv(unit) @ moves @ unit
    return [Hypothesis(matrix, score) for matrix, score in zip(optimised, scores, strict=True)]


def _make_moves(change: Tensor) -> Tensor:
    """Return (B, 3, 3) affine moves by (B, 6), or rigid ones by an angle and a shift, (B, 3)."""
    if change.shape[1] == 3:
        angle, x, y = change.unbind(1)
        cos, sin = angle.cos(), angle.sin()
        rows = torch.stack([cos, -sin, x, sin, cos, y], 1).view(-1, 2, 3)
    else:
        rows = torch.eye(2, 3, dtype=change.dtype) + change.view(-1, 2, 3)
    last = torch.tensor([0.0, 0.0, 1.0], dtype=change.dtype).expand(len(change), 1, 3)
    return torch.cat([rows, last], 1)


def _measure_stretch(linear: Tensor) -> Tensor:
    """Return about the squared logarithm of the ratio of singular values of (B, 2, 2), as (B,).

    It is 0 for similarity transforms.
    """
    area = linear[:, 0, 0] * linear[:, 1, 1] - linear[:, 0, 1] * linear[:, 1, 0]
    return linear.square().sum((1, 2)) / area.abs().clamp_min(1e-6) - 2
