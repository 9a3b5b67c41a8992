"""Diffeomorphic instance optimisation: a stationary velocity field climbs local NCC, coarse to
fine.

Scaling and squaring: Arsigny et al. 2006, doi:10.1007/11866565_113. Per-pair optimisation: Siebert
et al. 2021, "Fast 3D registration with accurate optimisation and little learning"
(arXiv:2112.03053), in two dimensions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.geometry.affine_grid import affine_grid
from stainbridge.geometry.flow import exponentiate_normalised
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine, Chain, DisplacementField
from stainbridge.registration.config import DeformableConfig, MatchingConfig
from stainbridge.registration.parallel import spread
from stainbridge.registration.sections.section import Section
from stainbridge.registration.stages.matching import matched
from stainbridge.registration.verdict.verification import similarity
from stainbridge.similarity.lncc import LocalNCC
from stainbridge.types import Plane

SQUARINGS = 5
APART = 5.0  # times the median distance between the two directions
# of the verification score, over both directions: by less, another beginning is no better
BETTER = 0.025
ELSEWHERE_PX = 1.2  # of the picture that windows are matched on, at the 90th percentile
# of the first rate: steps that stay long leave their own jitter, pixels of it on rescanned slides
LAST = 0.05


@dataclass(frozen=True, eq=False)
class Deformation:
    """`field`: the displacement, in the fixed space, to apply before the start; `disagreement_um`:
    the median distance, over the fixed tissue, between what the two directions say, nan where only
    one was run.
    """

    field: DisplacementField
    disagreement_um: float


def deform(
    fixed: Section,
    moving: Section,
    start: Affine,
    config: DeformableConfig,
    progress: Callable[[float], None] = lambda _: None,
    threads: int = 1,
) -> Deformation:
    """Bend what `start` left.

    Symmetric: what one direction reads into noise the other does not repeat, so the mean of the
    field found forward and of the inverse of the one found backward is nearer the truth than
    either, and their distance says how sure it is. Where they are far apart the one found forward
    stands.
    """
    back = start.inverse()
    ways = [_Way(fixed, moving, start, config)]
    if config.symmetric:
        ways.append(
            _Way(moving, fixed, Affine(back.matrix, moving.frame.space, fixed.frame.space), config)
        )
    done = [0.0] * len(ways)

    def climb(index: int) -> DisplacementField:
        def tell(share: float) -> None:
            done[index] = share
            progress(sum(done) / len(ways))

        return ways[index].climbed(begun[index], tell)

    begun = _preferred(spread(lambda way: way.begun(threads // len(ways)), ways, threads))
    forward, *others = spread(climb, range(len(ways)), threads)
    if not others:
        return Deformation(forward, float("nan"))
    points = forward.grid.centres_um()
    shape = forward.displacement.shape
    apart = (back(others[0].inverse()(start(points))) - forward(points)).T.reshape(shape)
    distance = np.hypot(*apart)
    typical = _on_tissue(distance, fixed, forward.grid)
    middle = forward.displacement + apart * agreed(distance, typical) / 2
    return Deformation(replace(forward, displacement=middle.astype(np.float32)), typical)


def _preferred(found: list[list[_Begun]]) -> list[Tensor]:
    """Where every direction goes on from: all from the first beginning, or from another one that is
    `BETTER`.

    A single direction has to gain as much as two together: what only one gains it may have read
    into noise.
    """
    scores = np.array([[beginning.score for beginning in way] for way in found]).sum(0)
    best = int(np.argmax(scores))
    chosen = best if scores[best] > scores[0] + BETTER else 0
    return [way[chosen].velocity for way in found]


def agreed(distance: Plane, typical: float) -> Plane:
    """1 where the two directions agree as they do elsewhere, 0 where not, smooth between.

    Where one section ends the other's way back squeezes what it has nothing to match with, and its
    inverse may fold.
    """
    near = cv2.erode((distance <= APART * typical).astype(np.float32), np.ones((5, 5), np.uint8))
    return np.asarray(cv2.GaussianBlur(near, (0, 0), 2.0))


def _on_tissue(values: Plane, fixed: Section, grid: Frame) -> float:
    """Median of values at the nodes of `grid` over the fixed tissue."""
    size = (grid.width, grid.height)
    tissue = cv2.resize(fixed.region.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return float(np.median(values[tissue] if tissue.any() else values))


@dataclass(frozen=True, eq=False)
class _Begun:
    """A velocity after the first level, in `grid_sample` units, and how well it verifies."""

    velocity: Tensor
    score: float


@dataclass(frozen=True, eq=False)
class _Way:
    """One direction: what is bent onto what, and where that begins."""

    fixed: Section
    moving: Section
    start: Affine
    config: DeformableConfig

    @property
    def sizes(self) -> list[int]:
        """The levels there is resolution for, one at least."""
        longest = max(self.fixed.frame.width, self.fixed.frame.height)
        count = sum(size < longest for size in self.config.sizes_px)
        return list(self.config.sizes_px[: count + 1])

    def at(self, size: int) -> _Level:
        """A level with a longest side of `size` pixels."""
        return _Level.of(self.fixed, self.moving, self.start, self.config, size)

    def begun(self, threads: int = 1) -> list[_Begun]:
        """What the first level makes of no bend, and of where windows match; twice the first where
        these agree.
        """
        first, steps, matching = self.at(self.sizes[0]), self.config.steps[0], self.config.matching

        def plain() -> Tensor:
            return first.climbed(torch.zeros(1, 2, 4, 4), steps)

        if matching is None:
            return [_Begun(plain(), 0.0)]
        level = self.at(matching.size_px)
        pieces: tuple[Callable[[], Tensor], ...] = (plain, lambda: level.matches(matching))
        straight, found = spread(lambda piece: piece(), pieces, threads)
        if not level.differ(straight, found):
            return [_Begun(straight, 0.0)] * 2
        far = first.climbed(level.climbed(found, matching.steps), steps)
        return [_Begun(velocity, self.score(velocity)) for velocity in (straight, far)]

    def score(self, velocity: Tensor) -> float:
        """How well a bend verifies."""
        return similarity(
            self.fixed, self.moving, Chain((_field(velocity, self.fixed), self.start))
        )

    def climbed(self, velocity: Tensor, progress: Callable[[float], None]) -> DisplacementField:
        """A field in the fixed space, nodes every `spacing_px` of the last level."""
        sizes = self.sizes
        for index, (size, steps) in enumerate(
            zip(sizes[1:], self.config.steps[1:], strict=False), 1
        ):
            progress(index / len(sizes))
            velocity = self.at(size).climbed(velocity, steps)
        progress(1.0)
        return _field(velocity, self.fixed)


def _field(velocity: Tensor, fixed: Section) -> DisplacementField:
    """A displacement in the fixed space from a velocity in `grid_sample` units."""
    with torch.no_grad():
        flow = exponentiate_normalised(velocity, SQUARINGS)[0].double().cpu().numpy()
    half = np.array(fixed.frame.size_um)[:, None, None] / 2
    grid = fixed.frame.at_mpp(
        (fixed.frame.size_um[0] / flow.shape[2], fixed.frame.size_um[1] / flow.shape[1])
    )
    return DisplacementField(
        (flow * half).astype(np.float32), grid, fixed.frame.space, fixed.frame.space
    )


@dataclass(frozen=True, eq=False)
class _Level:
    """The fixed section at one size, (1, C, H, W), where it counts, (1, 1, H, W), and the moving
    one under a flow.
    """

    target: Tensor
    weight: Tensor
    warp: Callable[[Tensor], Tensor]
    config: DeformableConfig

    @classmethod
    def of(
        cls, fixed: Section, moving: Section, start: Affine, config: DeformableConfig, size: int
    ) -> _Level:
        """With a longest side of `size` pixels."""
        frame, target, outline = fixed.planes_at(size)
        _, source, _ = moving.planes_at(
            max(8, round(max(moving.frame.size_um) / (max(frame.mpp) * start.scale)))
        )
        to_moving, points = _sampling_of(start, moving, frame)
        inside = ((points @ to_moving[:, :2].T + to_moving[:, 2]).abs() <= 1).all(-1)[:, None]

        def warp(flow: Tensor) -> Tensor:
            where = (points + flow.permute(0, 2, 3, 1)) @ to_moving[:, :2].T + to_moving[:, 2]
            return F.grid_sample(source, where, padding_mode="border", align_corners=False)

        return cls(target, outline * inside, warp, config)

    def climbed(self, velocity: Tensor, steps: int) -> Tensor:
        """The velocity on this level's nodes after so many steps."""
        height, width = self.target.shape[-2:]
        velocity = at_nodes(velocity, height, width, self.config.spacing_px)
        return ascend(velocity, self.target, self.weight, self.warp, self.config, steps)

    def matches(self, matching: MatchingConfig) -> Tensor:
        """Where windows match, in `grid_sample` units, (1, 2, H, W)."""
        height, width = self.target.shape[-2:]
        found = matched(
            self.target, self.warp(torch.zeros(1, 2, height, width)), self.weight, matching
        )
        return found * torch.tensor([2 / width, 2 / height]).view(1, 2, 1, 1)

    def differ(self, velocity: Tensor, found: Tensor) -> bool:
        """Whether a velocity leads elsewhere than `found`, (1, 2, H, W), by pixels that are more
        than chance.
        """
        height, width = self.target.shape[-2:]
        away = _in_cells(found - flow_of(velocity, height, width))
        distance = away.square().sum(1, keepdim=True).sqrt()[self.weight > 0.5]
        return distance.numel() > 0 and float(torch.quantile(distance, 0.9)) > ELSEWHERE_PX


def ascend(
    velocity: Tensor,
    target: Tensor,
    weight: Tensor,
    warp: Callable[[Tensor], Tensor],
    config: DeformableConfig,
    steps: int,
) -> Tensor:
    """The velocity (1, 2, h, w) after `steps` up the local NCC of `target` (1, C, H, W) with what
    `warp` makes of its flow (1, 2, H, W), both in `grid_sample` units of the target; `weight` (1,
    1, H, W) says where it counts.
    """
    velocity = velocity.requires_grad_(True)
    similarity = LocalNCC.of(target, config.radius, step=config.window_step)
    weight = similarity.focus(weight)
    rate = 2 * config.rate_px / max(target.shape[-2:])
    optimiser = torch.optim.Adam([velocity], lr=rate, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimiser, max(1, steps), eta_min=rate * LAST
    )
    for _ in range(steps):
        optimiser.zero_grad()
        flow = flow_of(velocity, *target.shape[-2:])
        loss = (
            config.smoothness * _diffusion(_in_cells(velocity)) - similarity(warp(flow), weight)[0]
        )
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return velocity.detach()


def flow_of(velocity: Tensor, height: int, width: int) -> Tensor:
    """Where a velocity on nodes takes the pixels of a picture of that size."""
    flow = exponentiate_normalised(velocity, SQUARINGS)
    return F.interpolate(flow, (height, width), mode="bilinear", align_corners=False)


def at_nodes(velocity: Tensor, height: int, width: int, spacing_px: float) -> Tensor:
    """A velocity field on nodes every `spacing_px` of a picture of that size."""
    nodes = max(4, round(height / spacing_px)), max(4, round(width / spacing_px))
    return F.interpolate(velocity, nodes, mode="bicubic", align_corners=False)


def _in_cells(field: Tensor) -> Tensor:
    """A field (1, 2, h, w) in `grid_sample` units, in cells of its own grid."""
    height, width = field.shape[-2:]
    return field * torch.tensor([width / 2, height / 2]).view(1, 2, 1, 1)


def _diffusion(u: Tensor) -> Tensor:
    """Mean squared difference of neighbouring nodes, u in node spacings."""
    down, across = u[:, :, 1:] - u[:, :, :-1], u[..., 1:] - u[..., :-1]
    energy: Tensor = down.square().mean() + across.square().mean()
    return energy


def _sampling_of(start: Affine, moving: Section, frame: Frame) -> tuple[Tensor, Tensor]:
    """The (2, 3) matrix from `frame`'s normalised coordinates to the moving section's, and the
    pixel centres.
    """
    to_moving = np.linalg.inv(moving.frame.from_normalised) @ start.matrix @ frame.from_normalised
    points = affine_grid(torch.eye(2, 3)[None], frame.height, frame.width)
    return torch.tensor(to_moving[:2], dtype=torch.float32), points
