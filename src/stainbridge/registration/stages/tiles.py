"""High-resolution refinement: what an alignment of the whole slides left is optimised in tiles.

Tiles are read from the slides themselves. Each tile sees the moving slide through the alignment so
far, so only the rest is sought, by the deformable stage's own steps. The tiles' fields are blended.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.errors import InputError
from stainbridge.geometry.affine_grid import affine_grid
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine, DisplacementField, Transform
from stainbridge.ranges import Weight, Within, check_ranges
from stainbridge.registration.sections.density import Masks, SlideDensity, read_density
from stainbridge.registration.sections.section import measure_edges
from stainbridge.registration.sections.views import frame_tissue
from stainbridge.registration.stages.blending import TilingConfig, blend_tiles
from stainbridge.registration.stages.deformable import DeformableConfig
from stainbridge.registration.stages.stage import (
    Phase,
    Proposal,
    Stage,
    StageConfig,
    StageProgress,
    State,
)
from stainbridge.registration.stages.velocity import (
    INITIAL_NODES,
    integrate_velocity,
    optimise_velocity,
    resample_nodes,
)
from stainbridge.similarity.ngf import ngf
from stainbridge.slides.slide import Slide

#: A tile's field is good from this many pixels off its border on: windows and smoothness reach as
#: far, whatever happens at the border.
REACH_PX = 48
#: Levels of a tile, each half the resolution of the next; what remains to be found is small.
LEVELS = 3
#: Most squares that the refinement is judged on.
SQUARES = 12
#: Side of these squares, in pixels.
SQUARE_PX = 384


@dataclass(frozen=True)
class TileRefinementConfig(StageConfig):
    """Settings of the high-resolution refinement.

    Raises `InputError` where less than one tile is worked on.

    Example:
        >>> tiles = stainbridge.TileRefinementConfig(longest_px=8192)
        >>> stainbridge.RegisterConfig().with_stage(tiles).stages[-1].longest_px
        8192

    """

    kind: Literal["tiles"] = field(default="tiles", kw_only=True)
    """The stage's name in a pipeline file."""
    longest_px: Annotated[int, Within(64, 1_000_000)] = 4096
    """Pixels along the longer side of the tissue's frame to work at."""
    tile_px: Annotated[int, Within(32, 16384)] = 768
    """Side of a tile, in pixels."""
    blend_px: Annotated[int, Within(1, 8192)] = 64
    """Width over which neighbouring tiles are blended, in pixels."""
    steps: Annotated[tuple[int, int, int], Within(0, 100_000)] = (25, 20, 10)
    """Gradient steps at a quarter, half and all of the resolution."""
    spacing_px: Annotated[int, Within(1, 256)] = 8
    """Distance between nodes of the velocity field, in pixels."""
    radius: Annotated[int, Within(1, 256)] = 20
    """Radius of the local NCC's windows, in pixels."""
    window_step: Annotated[int, Within(1, 256)] = 6
    """Distance between windows, in pixels."""
    smoothness: Weight = 1.0
    """Weight of the diffusion regulariser."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.longest_px < self.tile_px:
            raise InputError(
                "tiles: longest_px is less than one tile",
                expected=self.tile_px,
                got=self.longest_px,
            )


@dataclass(frozen=True, eq=False)
class TileRefinementStage(Stage):
    """Refinement in tiles, after a result that has not failed."""

    config: TileRefinementConfig
    kind: ClassVar[str] = "tiles"
    name: ClassVar[str] = "tiles"
    phase: ClassVar[Phase] = "refinement"
    config_type: ClassVar[type[StageConfig]] = TileRefinementConfig
    margin: ClassVar[float] = 1e-3  # a similarity of edges that rises by less has not risen

    def __call__(self, state: State, progress: StageProgress) -> Proposal:
        """Propose a displacement to apply before the solution."""
        problem = state.problem
        assert state.solution is not None
        close_up = CloseUp.read(*problem.slides, self.config, problem.masks)
        displacement = close_up.refine(state.solution, problem.context.threads, progress)
        return Proposal(displacement=displacement, replaces_displacement=False, verifier=close_up)


@dataclass(frozen=True, eq=False)
class TileOptimiser:
    """The deformable stage on a tile, coarse to fine."""

    config: DeformableConfig
    period: int = 1
    reach: int = REACH_PX

    def field(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Return (1, 2, H, W) in pixels, from fixed to moving density, each (1, 1, H, W)."""
        height, width = fixed.shape[-2:]
        target, source = (torch.cat([plane, _measure_edges(plane)], 1) for plane in (fixed, moving))
        tissue = F.max_pool2d((fixed > 0).float(), 9, 1, 4)
        velocity = torch.zeros(1, 2, *INITIAL_NODES)
        for level, steps in zip(reversed(range(LEVELS)), self.config.steps, strict=True):
            level_target, level_source, weight = (
                F.avg_pool2d(x, 2**level, ceil_mode=True) for x in (target, source, tissue)
            )
            level_height, level_width = level_target.shape[-2:]
            start = resample_nodes(velocity, level_height, level_width, self.config.spacing_px)
            velocity = optimise_velocity(
                start, level_target, weight, _PictureWarp(level_source), self.config, steps
            )
        with torch.no_grad():
            flow = integrate_velocity(velocity, height, width)
        return flow * torch.tensor([width / 2, height / 2]).view(1, 2, 1, 1)


class _PictureWarp:
    """Warps a picture (1, C, H, W) by displacements (1, 2, H, W) in `grid_sample` units."""

    def __init__(self, picture: Tensor) -> None:
        self.picture = picture
        self.identity = affine_grid(torch.eye(2, 3)[None], *picture.shape[-2:])

    def __call__(self, flow: Tensor) -> Tensor:
        coordinates = self.identity + flow.permute(0, 2, 3, 1)
        return F.grid_sample(self.picture, coordinates, padding_mode="border", align_corners=False)


def _measure_edges(density: Tensor) -> Tensor:
    return torch.from_numpy(measure_edges(density[0, 0].cpu().numpy()))[None, None].to(density)


@dataclass(frozen=True, eq=False)
class CloseUp:
    """Two slides at the resolution of the refinement."""

    slides: tuple[Slide, Slide]
    """Fixed and moving slide."""
    densities: tuple[SlideDensity, SlideDensity]
    """Their densities."""
    view: Frame
    """The fixed tissue at the resolution of the refinement."""
    config: TileRefinementConfig
    """Settings of the refinement."""

    @classmethod
    def read(
        cls,
        fixed: Slide,
        moving: Slide,
        config: TileRefinementConfig,
        masks: Masks = (None, None),
    ) -> Self:
        """Fit both slides' densities; raises `InputError` when there is no tissue."""
        densities = SlideDensity.fit(fixed, masks[0]), SlideDensity.fit(moving, masks[1])
        longest_um = max(densities[0].overview.frame.size_um)
        mpp = max(longest_um / config.longest_px, min(fixed.frame.mpp))
        view = frame_tissue(densities[0].overview, config.longest_px, mpp)
        return cls((fixed, moving), densities, view, config)

    def read_pair(self, transform: Transform, frame: Frame) -> tuple[Tensor, Tensor]:
        """Return densities (1, 1, H, W) of both slides on `frame`.

        The moving one is read through `transform`.
        """
        space = self.slides[0].frame.space
        transforms = (Affine(np.eye(3), space, space), transform)
        fixed, moving = (
            torch.tensor(read_density(slide, density, through, frame))[None, None]
            for slide, density, through in zip(self.slides, self.densities, transforms, strict=True)
        )
        return fixed, moving

    def refine(
        self,
        solution: Transform,
        threads: int = 1,
        progress: StageProgress = lambda _: None,
    ) -> DisplacementField:
        """Return the displacement, in the fixed space, to apply before `solution`.

        In memory are one tile a thread and the field, however large the slides are.
        """
        config = self.config
        optimise = DeformableConfig(
            steps=config.steps,
            spacing_px=config.spacing_px,
            radius=config.radius,
            window_step=config.window_step,
            smoothness=config.smoothness,
        )
        tiling = TilingConfig(config.tile_px, config.blend_px, config.spacing_px)
        displacement, grid = blend_tiles(
            TileOptimiser(optimise),
            partial(self.read_pair, solution),
            self.view,
            tiling,
            threads,
            progress,
        )
        space = self.slides[0].frame.space
        return DisplacementField(displacement, grid, space, space)

    def score(self, transform: Transform) -> float:
        """Return the mean similarity of edges in squares spread over the tissue, at most 1.

        By normalised gradient fields, which no stage optimises.
        """
        pairs = (self.read_pair(transform, square) for square in self._choose_squares())
        return float(torch.cat([ngf(*pair) for pair in pairs]).mean())

    def _choose_squares(self) -> list[Frame]:
        """Return at most `SQUARES` squares of `SQUARE_PX` on tissue, far from each other."""
        overview = self.densities[0].overview
        side = SQUARE_PX * self.view.mpp[0]
        centres = overview.frame.centres_um()[overview.region.ravel()]
        distance = max(side, float(np.sqrt(overview.area_um2 / SQUARES)))
        cells = np.unique((centres // distance).astype(int), axis=0, return_index=True)[1]
        chosen = centres[np.sort(cells)][:: max(1, len(cells) // SQUARES)][:SQUARES]
        return [
            replace(
                self.view,
                height=SQUARE_PX,
                width=SQUARE_PX,
                origin_um=(float(x - side / 2), float(y - side / 2)),
            )
            for x, y in chosen
        ]
