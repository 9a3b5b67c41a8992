"""One displacement field from those of overlapping tiles.

Fields are blended, never warped pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import torch.nn.functional as F
from torch import Tensor

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.imaging.tiles import TileAxis, TileGrid
from stainbridge.registration.parallel import spread
from stainbridge.types import Field

#: The fixed and the moving density on a frame, each (1, 1, H, W).
Pictures: TypeAlias = Callable[[Frame], tuple[Tensor, Tensor]]
#: What is lighter than this everywhere is glass.
GLASS = 0.02


class Solver(Protocol):
    """Finds the displacement of a tile: a trained network, or an optimiser.

    Tiles begin at multiples of `period` pixels, and are good from `reach` pixels off their border
    on.
    """

    @property
    def period(self) -> int:
        """Pixels, at least 1."""

    @property
    def reach(self) -> int:
        """Pixels, at least 0."""

    def field(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """(1, 2, H, W) in pixels, from the fixed to the moving density, each (1, 1, H, W)."""


@dataclass(frozen=True)
class TilingConfig:
    """Tiles of `tile_px` a side give way to their neighbours over `blend_px`; the field has a node
    every `spacing_px`.

    What a tile says of places closer to its border than the solver's reach is thrown away, as far
    as half the tile remains.
    """

    tile_px: int = 1024
    blend_px: int = 32
    spacing_px: int = 4

    def __post_init__(self) -> None:
        if not 0 < 2 * self.blend_px <= self.tile_px:
            raise InputError(
                "tiles must be at least twice as long as what they blend over", got=self
            )
        if self.spacing_px < 1 or self.tile_px % self.spacing_px:
            raise InputError("tile_px must be a multiple of spacing_px", got=self)


def blended_field(
    solver: Solver,
    pictures: Pictures,
    view: Frame,
    config: TilingConfig,
    threads: int = 1,
    progress: Callable[[float], None] = lambda _: None,
) -> tuple[Field, Frame]:
    """Displacements (2, h, w) in µm from fixed to moving, and the frame of their nodes, which
    covers `view`.

    Tiles lie on multiples of the solver's period, so that they agree where they overlap. At any
    time the pictures of one tile a thread are held, and the field.
    """
    spacing, step = config.spacing_px, int(np.lcm(solver.period, config.spacing_px))
    overlap = min(2 * solver.reach + config.blend_px, config.tile_px // 2)
    down, across = (
        TileAxis.inside(length, config.tile_px, overlap, step, config.blend_px)
        for length in (view.height, view.width)
    )
    grid = TileGrid(down, across)
    whole = view.crop(0, 0, across.length, down.length)
    blank = _Blank(solver, spacing)

    def found(tile: tuple[int, int]) -> Field:
        row, column = tile
        fixed, moving = pictures(
            whole.crop(column * across.stride, row * down.stride, across.tile, down.tile)
        )
        if max(float(fixed.max()), float(moving.max())) < GLASS:
            return blank.like(fixed)
        return _field(solver, fixed, moving, spacing)

    total = np.zeros((2, down.length // spacing, across.length // spacing), np.float32)
    weights = np.zeros(total.shape[1:], np.float32)
    tiles = iter(grid)
    done = 0
    while batch := list(islice(tiles, threads)):
        for (row, column), tile in zip(batch, spread(found, batch, threads), strict=True):
            y = _node_positions(down, row, spacing)
            x = _node_positions(across, column, spacing)
            weight = grid.weight(row, column, y, x)
            nodes = (_node_slice(down, row, spacing), _node_slice(across, column, spacing))
            total[:, nodes[0], nodes[1]] += weight * tile
            weights[nodes] += weight
        done += len(batch)
        progress(done / grid.count)
    total *= np.float32(view.mpp[0]) / weights
    return total, whole.at_mpp((view.mpp[0] * spacing, view.mpp[1] * spacing))


def _node_slice(axis: TileAxis, index: int, spacing: int) -> slice:
    """Return the nodes of a tile; every tile begins and ends between two nodes."""
    start, stop = axis.window(index)
    return slice(start // spacing, stop // spacing)


def _node_positions(axis: TileAxis, index: int, spacing: int) -> npt.NDArray[np.float64]:
    """Return the positions of a tile's nodes along the view, in pixels."""
    nodes = _node_slice(axis, index, spacing)
    return (np.arange(nodes.start, nodes.stop) + 0.5) * spacing


@dataclass(eq=False)
class _Blank:
    """What the solver makes of glass, found once; all tiles of a view are of one size."""

    solver: Solver
    spacing: int
    field: Field | None = None

    def like(self, glass: Tensor) -> Field:
        if self.field is None:
            self.field = _field(self.solver, glass, glass, self.spacing)
        return self.field


def _field(solver: Solver, fixed: Tensor, moving: Tensor, spacing: int) -> Field:
    """(2, h, w) in pixels, averaged over squares of `spacing` pixels."""
    return np.asarray(F.avg_pool2d(solver.field(fixed, moving), spacing)[0].float().cpu().numpy())
