"""One displacement field from those of overlapping tiles.

Fields are blended, never warped pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import torch.nn.functional as F
from torch import Tensor

from stainbridge.compute import parallel_map
from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.imaging.tiles import TileAxis, TileGrid
from stainbridge.ranges import Within, check_ranges
from stainbridge.types import Field

#: Returns the fixed and the moving density on a frame, each (1, 1, H, W).
ReadPair: TypeAlias = Callable[[Frame], tuple[Tensor, Tensor]]
#: A tile whose density is nowhere above this is glass.
GLASS_DENSITY = 0.02


class Solver(Protocol):
    """Finds the displacement of a tile: a trained network, or an optimiser.

    Tiles begin at multiples of `period` pixels. Their fields are valid from `reach` pixels off the
    border on.
    """

    @property
    def period(self) -> int:
        """Pixels, at least 1."""

    @property
    def reach(self) -> int:
        """Pixels, at least 0."""

    def field(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Return (1, 2, H, W) in pixels, from fixed to moving density, each (1, 1, H, W)."""


@dataclass(frozen=True)
class TilingConfig:
    """Settings of the tiles.

    Closer to its border than the solver's reach, a tile's field is thrown away, as long as half the
    tile remains.
    """

    tile_px: Annotated[int, Within(16, 16384)] = 1024
    """Side of a tile, in pixels."""
    blend_px: Annotated[int, Within(1, 8192)] = 32
    """Width over which neighbouring tiles are blended, in pixels."""
    spacing_px: Annotated[int, Within(1, 256)] = 4
    """Distance between nodes of the field, in pixels."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if not 0 < 2 * self.blend_px <= self.tile_px:
            raise InputError("tiles must be at least twice as long as they are blended", got=self)
        if self.tile_px % self.spacing_px:
            raise InputError("tile_px must be a multiple of spacing_px", got=self)


def blend_tiles(
    solver: Solver,
    read_pair: ReadPair,
    view: Frame,
    config: TilingConfig,
    threads: int = 1,
    progress: Callable[[float], None] = lambda _: None,
) -> tuple[Field, Frame]:
    """Return displacements (2, h, w) in µm, and the frame of their nodes, which covers `view`.

    Tiles lie on multiples of the solver's period, so that they agree where they overlap. In memory
    are the pictures of one tile a thread, and the field.
    """
    spacing = config.spacing_px
    step = int(np.lcm(solver.period, spacing))
    overlap = min(2 * solver.reach + config.blend_px, config.tile_px // 2)
    down, across = (
        TileAxis.inside(length, config.tile_px, overlap, step, config.blend_px)
        for length in (view.height, view.width)
    )
    grid = TileGrid(down, across)
    whole = view.crop(0, 0, across.length, down.length)
    blank = _BlankTile(solver, spacing)

    def solve_tile(index: tuple[int, int]) -> Field:
        row, column = index
        tile = whole.crop(column * across.stride, row * down.stride, across.tile, down.tile)
        fixed, moving = read_pair(tile)
        if max(float(fixed.max()), float(moving.max())) < GLASS_DENSITY:
            return blank.solve(fixed)
        return _solve(solver, fixed, moving, spacing)

    total = np.zeros((2, down.length // spacing, across.length // spacing), np.float32)
    weights = np.zeros(total.shape[1:], np.float32)
    indices = iter(grid)
    done = 0
    while batch := list(islice(indices, threads)):
        for (row, column), field in zip(
            batch, parallel_map(solve_tile, batch, threads), strict=True
        ):
            y = _node_positions(down, row, spacing)
            x = _node_positions(across, column, spacing)
            weight = grid.weight(row, column, y, x)
            nodes = (_node_slice(down, row, spacing), _node_slice(across, column, spacing))
            total[:, nodes[0], nodes[1]] += weight * field
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
class _BlankTile:
    """The solver's field on glass, computed once; all tiles of a view have one size."""

    solver: Solver
    spacing: int
    field: Field | None = None

    def solve(self, glass: Tensor) -> Field:
        if self.field is None:
            self.field = _solve(self.solver, glass, glass, self.spacing)
        return self.field


def _solve(solver: Solver, fixed: Tensor, moving: Tensor, spacing: int) -> Field:
    """Return (2, h, w) in pixels, averaged over squares of `spacing` pixels."""
    field = F.avg_pool2d(solver.field(fixed, moving), spacing)
    return np.asarray(field[0].float().cpu().numpy())
