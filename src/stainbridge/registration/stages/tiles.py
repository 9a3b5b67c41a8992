"""High-resolution refinement: what a whole-slide alignment left is optimised in tiles, read from
the slides themselves.

Each tile sees the moving slide through the alignment so far, so only the rest is sought, by the
deformable stage's own steps. The fields of the tiles are blended into one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.geometry.affine_grid import affine_grid
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine, DisplacementField, Transform
from stainbridge.registration.config import DeformableConfig, TilesConfig
from stainbridge.registration.sections.density import Masks, SlideDensity, read_density
from stainbridge.registration.sections.section import edges_of
from stainbridge.registration.sections.views import view_of
from stainbridge.registration.stages.blending import TilingConfig, blended_field
from stainbridge.registration.stages.deformable import ascend, at_nodes, flow_of
from stainbridge.similarity.ngf import ngf
from stainbridge.slides.slide import Slide

#: A tile's field is good from here on: windows and smoothness reach this far, whatever the tile's
#: border does.
REACH_PX = 48
#: Halvings of a tile that are optimised before it; what remains to be found is small.
LEVELS = 3
#: The refinement is judged on so many squares of so many pixels.
SQUARES, SQUARE_PX = 12, 384


@dataclass(frozen=True, eq=False)
class TileOptimiser:
    """The deformable stage on a tile, coarse to fine."""

    config: DeformableConfig
    period: int = 1
    reach: int = REACH_PX

    def field(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """(1, 2, H, W) in pixels, from the fixed to the moving density, each (1, 1, H, W)."""
        height, width = fixed.shape[-2:]
        target, source = (torch.cat([plane, _edges(plane)], 1) for plane in (fixed, moving))
        tissue = F.max_pool2d((fixed > 0).float(), 9, 1, 4)
        velocity = torch.zeros(1, 2, 4, 4)
        for level, steps in zip(reversed(range(LEVELS)), self.config.steps, strict=True):
            here, there, weight = (
                F.avg_pool2d(x, 2**level, ceil_mode=True) for x in (target, source, tissue)
            )
            start = at_nodes(velocity, here.shape[-2], here.shape[-1], self.config.spacing_px)
            velocity = ascend(start, here, weight, _Warp(there), self.config, steps)
        with torch.no_grad():
            flow = flow_of(velocity, height, width)
        return flow * torch.tensor([width / 2, height / 2]).view(1, 2, 1, 1)


class _Warp:
    """A picture (1, C, H, W) through displacements (1, 2, H, W) in `grid_sample` units."""

    def __init__(self, picture: Tensor) -> None:
        self.picture = picture
        self.identity = affine_grid(torch.eye(2, 3)[None], *picture.shape[-2:])

    def __call__(self, flow: Tensor) -> Tensor:
        where = self.identity + flow.permute(0, 2, 3, 1)
        return F.grid_sample(self.picture, where, padding_mode="border", align_corners=False)


def _edges(density: Tensor) -> Tensor:
    return torch.from_numpy(edges_of(density[0, 0].cpu().numpy()))[None, None].to(density)


@dataclass(frozen=True, eq=False)
class CloseUp:
    """Two slides seen close: their densities, and `view`, the fixed tissue at the resolution of the
    refinement.
    """

    slides: tuple[Slide, Slide]
    densities: tuple[SlideDensity, SlideDensity]
    view: Frame
    config: TilesConfig

    @classmethod
    def of(
        cls, fixed: Slide, moving: Slide, config: TilesConfig, masks: Masks = (None, None)
    ) -> Self:
        """`masks` of the fixed and the moving slide, as `SlideDensity.of` takes them.

        Raises `InputError` when there is no tissue.
        """
        densities = SlideDensity.of(fixed, masks[0]), SlideDensity.of(moving, masks[1])
        mpp = max(fixed.frame.size_um) / min(
            config.longest_px, max(fixed.frame.height, fixed.frame.width)
        )
        return cls(
            (fixed, moving),
            densities,
            view_of(densities[0].overview, config.longest_px, mpp),
            config,
        )

    def pictures(self, transform: Transform, frame: Frame) -> tuple[Tensor, Tensor]:
        """Densities (1, 1, H, W) of the fixed slide on `frame`, and of the moving one through
        `transform`.
        """
        fixed = self.slides[0].frame
        through = (Affine(np.eye(3), fixed.space, fixed.space), transform)
        first, second = (
            torch.tensor(read_density(slide, density, way, frame))[None, None]
            for slide, density, way in zip(self.slides, self.densities, through, strict=True)
        )
        return first, second

    def refined(
        self,
        earlier: Transform,
        threads: int = 1,
        progress: Callable[[float], None] = lambda _: None,
    ) -> DisplacementField:
        """The displacement, in the fixed space, to apply before `earlier` (fixed µm to moving µm).

        In memory are one tile a thread and the field, whatever the slides' size.
        """
        config, fixed = self.config, self.slides[0].frame
        optimise = DeformableConfig(
            steps=config.steps,
            spacing_px=config.spacing_px,
            radius=config.radius,
            window_step=config.window_step,
            smoothness=config.smoothness,
        )
        tiling = TilingConfig(config.tile_px, config.blend_px, config.spacing_px)
        pictures = partial(self.pictures, earlier)
        field, grid = blended_field(
            TileOptimiser(optimise), pictures, self.view, tiling, threads, progress
        )
        return DisplacementField(field, grid, fixed.space, fixed.space)

    def score(self, transform: Transform) -> float:
        """Mean agreement of edges, whatever their sign, in squares spread over the tissue, at most
        1.

        By normalised gradient fields, which no stage climbs.
        """
        return float(
            torch.cat([ngf(*self.pictures(transform, frame)) for frame in self._squares()]).mean()
        )

    def _squares(self) -> list[Frame]:
        """At most `SQUARES` squares of `SQUARE_PX` on tissue, far from each other."""
        overview = self.densities[0].overview
        side = SQUARE_PX * self.view.mpp[0]
        centres = overview.frame.centres_um()[overview.region.ravel()]
        apart = max(side, float(np.sqrt(overview.area_um2 / SQUARES)))
        cells = np.unique((centres // apart).astype(int), axis=0, return_index=True)[1]
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
