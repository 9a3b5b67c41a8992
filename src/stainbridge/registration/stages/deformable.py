"""Diffeomorphic instance optimisation: a stationary velocity field per pair, coarse to fine.

Gradient steps increase a similarity, local NCC unless another is named. Optimisation per pair:
Siebert et al. 2021, "Fast 3D registration with accurate optimisation and little learning"
(arXiv:2112.03053), here in 2D.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.compute import parallel_map
from stainbridge.errors import InputError
from stainbridge.geometry.affine_grid import affine_grid
from stainbridge.geometry.flow import exponentiate_normalised
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine, Chain, DisplacementField
from stainbridge.geometry.warp import warp_array
from stainbridge.ranges import Weight, Within, check_ranges
from stainbridge.registration.sections.section import Section
from stainbridge.registration.stages.folds import repair_folds
from stainbridge.registration.stages.matching import MatchingConfig, match_windows
from stainbridge.registration.stages.stage import (
    FOLDS_PX,
    Phase,
    Proposal,
    Stage,
    StageConfig,
    StageProgress,
    State,
)
from stainbridge.registration.stages.velocity import (
    INITIAL_NODES,
    LOCAL_NCC,
    SQUARINGS,
    Warp,
    integrate_velocity,
    optimise_velocity,
    resample_nodes,
    to_cells,
)
from stainbridge.registration.verdict.verification import measure_score
from stainbridge.similarity.similarities import find_similarity
from stainbridge.types import Plane

#: Forward and backward agree where they are nearer than this many times their median distance.
AGREEMENT_FACTOR = 5.0
#: Gain in verification score, summed over both directions, that makes another start the better one.
BETTER_START = 0.025
#: Distance in pixels, at the 90th percentile, from which on matches lead elsewhere than the field.
DIFFERENCE_PX = 1.2


@dataclass(frozen=True)
class DeformableConfig(StageConfig):
    """Settings of the instance optimisation; `sizes_px` and `steps` have one entry a level.

    Raises `InputError` for tuples of unequal lengths and an unknown similarity.

    Example:
        >>> deformable = stainbridge.DeformableConfig(sizes_px=(128, 256), steps=(40, 20))
        >>> stainbridge.RegisterConfig().with_stage(deformable).stages[2].steps
        (40, 20)

    """

    kind: Literal["deformable"] = field(default="deformable", kw_only=True)
    """The stage's name in a pipeline file."""
    sizes_px: Annotated[tuple[int, ...], Within(16, 8192)] = (128, 256, 512)
    """Longest side of the pictures, in pixels, coarse to fine."""
    steps: Annotated[tuple[int, ...], Within(0, 100_000)] = (50, 50, 40)
    """Gradient steps."""
    spacing_px: Annotated[float, Within(1, 256)] = 4.0
    """Distance between nodes of the velocity field, in pixels of the level."""
    similarity: str = LOCAL_NCC
    """What is optimised; see `similarity.similarities`."""
    radius: Annotated[int, Within(1, 256)] = 14
    """Radius of the similarity's windows, in pixels, where it has windows."""
    window_step: Annotated[int, Within(1, 256)] = 4
    """Distance between windows of the local NCC, in pixels."""
    smoothness: Weight = 1.0
    """Weight of the diffusion regulariser."""
    rate_px: Annotated[float, Within(0, 100, above=True)] = 0.6
    """Length of the first steps, in pixels."""
    symmetric: bool = True
    """Whether both directions are registered and averaged."""
    matching: MatchingConfig | None = field(default_factory=MatchingConfig)
    """Window matching that offers another start; None: no other start."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.sizes_px:
            raise InputError("deformable: sizes_px must not be empty", got=self.sizes_px)
        if len(self.sizes_px) != len(self.steps):
            raise InputError(
                "deformable: one number of steps per size",
                expected=len(self.sizes_px),
                got=len(self.steps),
            )
        find_similarity(self.similarity)


@dataclass(frozen=True, eq=False)
class DeformableStage(Stage):
    """Instance optimisation of what the placement, or a network's field, left."""

    config: DeformableConfig
    kind: ClassVar[str] = "deformable"
    name: ClassVar[str] = "deformable"
    phase: ClassVar[Phase] = "deformation"
    config_type: ClassVar[type[StageConfig]] = DeformableConfig
    cost: ClassVar[float] = 2.0
    rejection_is_doubt: ClassVar[bool] = True

    def __call__(self, state: State, progress: StageProgress) -> Proposal:
        """Propose a displacement to apply before the placement."""
        fixed, moving = state.problem.sections
        threads = state.problem.context.threads
        placement = state.placement
        if state.displacement is None:
            deformation = deform(fixed, moving, placement, self.config, progress, threads)
        else:
            deformation = _continue_from(
                fixed, moving, placement, state.displacement, self.config, progress, threads
            )
        displacement = repair_folds(deformation.field, fixed.frame.fit(FOLDS_PX))
        return Proposal(displacement=displacement, disagreement_um=deformation.disagreement_um)


@dataclass(frozen=True, eq=False)
class Deformation:
    """What the instance optimisation found."""

    field: DisplacementField
    """The displacement, in the fixed space, to apply before the placement."""
    disagreement_um: float
    """Median distance over the fixed tissue between both directions; nan where only one was run."""


def deform(
    fixed: Section,
    moving: Section,
    placement: Affine,
    config: DeformableConfig,
    progress: StageProgress = lambda _: None,
    threads: int = 1,
) -> Deformation:
    """Optimise a deformation of what `placement` left.

    Symmetric: noise that one direction fits the other does not. So the mean of the forward field
    and of the inverse of the backward one is nearer the truth than either, and their distance says
    how certain it is. Where they are far apart the forward field stands.
    """
    back = placement.inverse()
    directions = [_Direction(fixed, moving, placement, config)]
    if config.symmetric:
        backward = Affine(back.matrix, moving.frame.space, fixed.frame.space)
        directions.append(_Direction(moving, fixed, backward, config))
    done = [0.0] * len(directions)

    def optimise_direction(index: int) -> DisplacementField:
        def report(share: float) -> None:
            done[index] = share
            progress(sum(done) / len(directions))

        return directions[index].optimise(velocities[index], report)

    share = threads // len(directions)
    starts = parallel_map(lambda direction: direction.find_starts(share), directions, threads)
    velocities = _choose_start(starts)
    forward, *others = parallel_map(optimise_direction, range(len(directions)), threads)
    if not others:
        return Deformation(forward, float("nan"))
    points = forward.grid.centres_um()
    shape = forward.displacement.shape
    apart = (back(others[0].inverse()(placement(points))) - forward(points)).T.reshape(shape)
    distance = np.hypot(*apart)
    typical = _median_on_tissue(distance, fixed, forward.grid)
    middle = forward.displacement + apart * weigh_agreement(distance, typical) / 2
    return Deformation(replace(forward, displacement=middle.astype(np.float32)), typical)


def _continue_from(
    fixed: Section,
    moving: Section,
    placement: Affine,
    displacement: DisplacementField,
    config: DeformableConfig,
    progress: StageProgress,
    threads: int,
) -> Deformation:
    """Optimise what `displacement` and then `placement` left; return it and `displacement` as one.

    The moving section is warped once, and deformed from there.
    """
    space = fixed.frame.space
    identity = Affine(np.eye(3), space, space)
    warped = warp_section(moving, Chain((displacement, placement)), fixed)
    rest = deform(fixed, warped, identity, config, progress, threads)
    mpp = min(rest.field.grid.mpp[0], displacement.grid.mpp[0])
    combined = rest.field.then(displacement).to_field(fixed.frame.at_mpp(mpp))
    return replace(rest, field=combined)


def warp_section(moving: Section, moving_from_fixed: Chain, fixed: Section) -> Section:
    """Return the moving section on the fixed one's frame."""
    planes = np.stack([moving.density, moving.region, moving.outline]).astype(np.float32)
    (density, region, outline), _ = warp_array(planes, moving.frame, moving_from_fixed, fixed.frame)
    return Section(
        fixed.frame,
        density,
        region > 0.5,
        outline > 0.5,
        fixed.centre_um,
        fixed.radius_um,
        moving.illumination,
    )


def _choose_start(starts: list[list[_Start]]) -> list[Tensor]:
    """Return the velocities that the directions begin with: all the first, or all a better one.

    A single direction has to gain as much as two together: what only one gains may be noise.
    """
    scores = np.array([[start.score for start in direction] for direction in starts]).sum(0)
    best = int(np.argmax(scores))
    chosen = best if scores[best] > scores[0] + BETTER_START else 0
    return [direction[chosen].velocity for direction in starts]


def weigh_agreement(distance: Plane, typical: float) -> Plane:
    """Return 1 where the two directions agree as they do elsewhere, 0 where not, smooth between.

    Where one section ends, the other's backward field compresses tissue that has no partner, and
    its inverse may fold.
    """
    near = (distance <= AGREEMENT_FACTOR * typical).astype(np.float32)
    eroded = cv2.erode(near, np.ones((5, 5), np.uint8))
    return np.asarray(cv2.GaussianBlur(eroded, (0, 0), 2.0))


def _median_on_tissue(values: Plane, fixed: Section, grid: Frame) -> float:
    """Return the median of values at the nodes of `grid` over the fixed tissue."""
    size = (grid.width, grid.height)
    tissue = cv2.resize(fixed.region.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return float(np.median(values[tissue] if tissue.any() else values))


@dataclass(frozen=True, eq=False)
class _Start:
    """A velocity after the first level, in `grid_sample` units, and its verification score."""

    velocity: Tensor
    score: float


@dataclass(frozen=True, eq=False)
class _Direction:
    """One direction of the registration."""

    fixed: Section
    moving: Section
    placement: Affine
    config: DeformableConfig

    @property
    def sizes(self) -> list[int]:
        """The levels that there is resolution for, one at least."""
        longest = max(self.fixed.frame.width, self.fixed.frame.height)
        count = sum(size < longest for size in self.config.sizes_px)
        return list(self.config.sizes_px[: count + 1])

    def make_level(self, size: int) -> _Level:
        """Return the level with a longest side of `size` pixels."""
        return _Level.of(self.fixed, self.moving, self.placement, self.config, size)

    def find_starts(self, threads: int = 1) -> list[_Start]:
        """Optimise the first level from no deformation and from where windows match.

        Where both agree, the first is returned twice.
        """
        first = self.make_level(self.sizes[0])
        steps = self.config.steps[0]
        matching = self.config.matching

        def optimise_from_zero() -> Tensor:
            return first.optimise(torch.zeros(1, 2, *INITIAL_NODES), steps)

        if matching is None:
            return [_Start(optimise_from_zero(), 0.0)]
        level = self.make_level(matching.size_px)
        pieces: tuple[Callable[[], Tensor], ...] = (
            optimise_from_zero,
            lambda: level.match(matching),
        )
        plain, matches = parallel_map(lambda piece: piece(), pieces, threads)
        if not level.differs(plain, matches):
            return [_Start(plain, 0.0)] * 2
        matched = first.optimise(level.optimise(matches, matching.steps), steps)
        return [_Start(velocity, self._score(velocity)) for velocity in (plain, matched)]

    def _score(self, velocity: Tensor) -> float:
        """Return the verification score of a deformation."""
        transform = Chain((_make_field(velocity, self.fixed), self.placement))
        return measure_score(self.fixed, self.moving, transform)

    def optimise(self, velocity: Tensor, progress: StageProgress) -> DisplacementField:
        """Optimise the later levels; return a field with nodes every `spacing_px` of the last."""
        sizes = self.sizes
        for index, (size, steps) in enumerate(
            zip(sizes[1:], self.config.steps[1:], strict=False), 1
        ):
            progress(index / len(sizes))
            velocity = self.make_level(size).optimise(velocity, steps)
        progress(1.0)
        return _make_field(velocity, self.fixed)


def _make_field(velocity: Tensor, fixed: Section) -> DisplacementField:
    """Return a displacement in the fixed space from a velocity in `grid_sample` units."""
    with torch.no_grad():
        flow = exponentiate_normalised(velocity, SQUARINGS)[0].double().cpu().numpy()
    width_um, height_um = fixed.frame.size_um
    half = np.array(fixed.frame.size_um)[:, None, None] / 2
    grid = fixed.frame.at_mpp((width_um / flow.shape[2], height_um / flow.shape[1]))
    space = fixed.frame.space
    return DisplacementField((flow * half).astype(np.float32), grid, space, space)


@dataclass(frozen=True, eq=False)
class _Level:
    """The pictures of one size."""

    target: Tensor
    """The fixed planes, (1, C, H, W)."""
    weight: Tensor
    """Where they count, (1, 1, H, W)."""
    warp: Warp
    """Warps the moving planes."""
    config: DeformableConfig

    @classmethod
    def of(
        cls, fixed: Section, moving: Section, placement: Affine, config: DeformableConfig, size: int
    ) -> _Level:
        """Return the level with a longest side of `size` pixels."""
        frame, target, outline = fixed.planes_at(size)
        longest = max(moving.frame.size_um) / (max(frame.mpp) * placement.scale)
        _, source, _ = moving.planes_at(max(8, round(longest)))
        to_moving, points = _normalise_placement(placement, moving, frame)
        inside = ((points @ to_moving[:, :2].T + to_moving[:, 2]).abs() <= 1).all(-1)[:, None]

        def warp(flow: Tensor) -> Tensor:
            moved = (points + flow.permute(0, 2, 3, 1)) @ to_moving[:, :2].T + to_moving[:, 2]
            return F.grid_sample(source, moved, padding_mode="border", align_corners=False)

        return cls(target, outline * inside, warp, config)

    def optimise(self, velocity: Tensor, steps: int) -> Tensor:
        """Return the velocity on this level's nodes after `steps` gradient steps."""
        height, width = self.target.shape[-2:]
        velocity = resample_nodes(velocity, height, width, self.config.spacing_px)
        return optimise_velocity(velocity, self.target, self.weight, self.warp, self.config, steps)

    def match(self, matching: MatchingConfig) -> Tensor:
        """Return where windows match, in `grid_sample` units, (1, 2, H, W)."""
        height, width = self.target.shape[-2:]
        moving = self.warp(torch.zeros(1, 2, height, width))
        matches = match_windows(self.target, moving, self.weight, matching)
        return matches * torch.tensor([2 / width, 2 / height]).view(1, 2, 1, 1)

    def differs(self, velocity: Tensor, matches: Tensor) -> bool:
        """Return whether a velocity leads elsewhere than matches (1, 2, H, W), beyond chance."""
        height, width = self.target.shape[-2:]
        difference = to_cells(matches - integrate_velocity(velocity, height, width))
        distance = difference.square().sum(1, keepdim=True).sqrt()[self.weight > 0.5]
        return distance.numel() > 0 and float(torch.quantile(distance, 0.9)) > DIFFERENCE_PX


def _normalise_placement(placement: Affine, moving: Section, frame: Frame) -> tuple[Tensor, Tensor]:
    """Return the (2, 3) matrix from `frame`'s normalised coordinates to the moving section's.

    The second value is `frame`'s pixel centres.
    """
    from_moving = np.linalg.inv(moving.frame.from_normalised)
    to_moving = from_moving @ placement.matrix @ frame.from_normalised
    points = affine_grid(torch.eye(2, 3)[None], frame.height, frame.width)
    return torch.tensor(to_moving[:2], dtype=torch.float32), points
