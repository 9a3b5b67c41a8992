"""A slide cut into blocks that are aligned one by one, and the fields that they make together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from stainbridge.errors import StainbridgeError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.points import as_points
from stainbridge.geometry.transform import Chain, DisplacementField, Transform, split_chain
from stainbridge.imaging.tiles import TileAxis, TileGrid
from stainbridge.pairing.alignment import ErrorMap
from stainbridge.types import Field, Plane, Points

#: How far a block reaches over its neighbours, as a share of its side, where fields are blended.
OVERLAP = 0.125
#: Standard deviation, as a share of a block's side, of how near overlaps are that tell of a place.
NEAR = 0.25
#: Overlap that counts as none.
LEAST_OVERLAP = 1e-4


@dataclass(frozen=True)
class BlockPlan:
    """Blocks of a slide at working resolution, on the nodes of a displacement field."""

    view: Frame
    """The slide at working resolution."""
    grid: TileGrid
    """The blocks in it, in its pixels."""
    spacing_px: int
    """Pixels from one node to the next; every block begins and ends between two nodes."""

    @classmethod
    def choose(
        cls,
        slide: Frame,
        blocks: int,
        *,
        mpp: float,
        longest_px: int,
        spacing_px: int,
        overlap: bool,
    ) -> BlockPlan:
        """Plan about `blocks` blocks, as square as can be, in as many rows as columns need.

        Args:
            slide: The whole slide.
            blocks: How many; a side shorter than its share of nodes has fewer.
            mpp: The pixel size to work at.
            longest_px: Most pixels of a block's longer side; the pixel size is coarser for it.
            spacing_px: Pixels from one node to the next.
            overlap: Whether blocks reach over their neighbours.

        """
        rows, columns = _share_out(blocks, slide)
        width_um, height_um = slide.size_um
        longest_um = max(width_um / columns, height_um / rows)
        view = slide.at_mpp(max(mpp, longest_um / longest_px))
        down = _make_axis(view.height, rows, spacing_px, overlap)
        across = _make_axis(view.width, columns, spacing_px, overlap)
        return cls(view, TileGrid(down, across), spacing_px)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Iterate over the blocks' rows and columns, in reading order."""
        return iter(self.grid)

    def frame(self, row: int, column: int) -> Frame:
        """Return a block's pixels; they may reach beyond the slide."""
        top, bottom = self.grid.down.window(row)
        left, right = self.grid.across.window(column)
        return self.view.crop(left, top, right - left, bottom - top)

    def nodes(self, row: int, column: int) -> Frame:
        """Return the nodes of a block's field: each is the centre of some pixels."""
        frame = self.frame(row, column)
        spacing = self.spacing_px
        mpp = (frame.mpp[0] * spacing, frame.mpp[1] * spacing)
        return Frame(
            frame.space, frame.height // spacing, frame.width // spacing, mpp, frame.origin_um
        )

    def blend(self, fields: Sequence[Field]) -> DisplacementField:
        """Return one field, in which blocks give way to one another.

        `fields` are (2, h, w) in µm on the blocks' `nodes`, in reading order.
        """
        grid = self._all_nodes()
        total = np.zeros((2, grid.height, grid.width), np.float32)
        for rows, columns, weight, part in self._lay_out(fields):
            total[:, rows, columns] += weight * part
        return DisplacementField(total, grid, grid.space, grid.space)

    def measure_error(self, fields: Sequence[Field]) -> ErrorMap:
        """Return how far blocks disagree where they overlap, and the same of the nearest overlaps.

        `fields` are those of `blend`. Each block is aligned on its own, so what they disagree by is
        what they err by. Blocks that do not overlap disagree nowhere.
        """
        blended = self.blend(fields)
        grid = blended.grid
        spread = np.zeros((grid.height, grid.width), np.float32)
        overlap = np.full((grid.height, grid.width), 1 + LEAST_OVERLAP, np.float32)
        for rows, columns, weight, part in self._lay_out(fields):
            apart = ((part - blended.displacement[:, rows, columns]) ** 2).sum(0)
            spread[rows, columns] += weight * apart
            overlap[rows, columns] -= weight**2
        sigma = NEAR * max(self.grid.down.stride, self.grid.across.stride) / self.spacing_px
        near = [cv2.GaussianBlur(plane, (0, 0), sigma) for plane in (spread, overlap)]
        return ErrorMap(np.asarray(np.sqrt(near[0] / near[1]), np.float32), grid)

    def _all_nodes(self) -> Frame:
        """Return the nodes of the whole slide."""
        spacing = self.spacing_px
        rows = -(-self.grid.down.length // spacing)
        columns = -(-self.grid.across.length // spacing)
        mpp = (self.view.mpp[0] * spacing, self.view.mpp[1] * spacing)
        return Frame(self.view.space, rows, columns, mpp, self.view.origin_um)

    def _lay_out(self, fields: Sequence[Field]) -> Iterator[tuple[slice, slice, Plane, Field]]:
        """Iterate over the blocks: rows and columns of nodes, their weights, displacements."""
        down = self.grid.down
        across = self.grid.across
        spacing = self.spacing_px
        nodes = self._all_nodes()
        y = (np.arange(nodes.height, dtype=np.float64) + 0.5) * spacing
        x = (np.arange(nodes.width, dtype=np.float64) + 0.5) * spacing
        for (row, column), field in zip(self, fields, strict=True):
            top, bottom = _clip_nodes(down, row, spacing, nodes.height)
            left, right = _clip_nodes(across, column, spacing, nodes.width)
            first_row = down.window(row)[0] // spacing
            first_column = across.window(column)[0] // spacing
            part = field[
                :, top - first_row : bottom - first_row, left - first_column : right - first_column
            ]
            weight = self.grid.weight(row, column, y[top:bottom], x[left:right])
            yield slice(top, bottom), slice(left, right), weight, part

    def cut(self, fields: Sequence[Field], *, shows_gaps: bool) -> BlockTransform:
        """Return the fields side by side, without any transition."""
        space = self.view.space
        parts = tuple(
            DisplacementField(field, self.nodes(*index), space, space)
            for index, field in zip(self, fields, strict=True)
        )
        return BlockTransform(parts, self.grid.across.count, shows_gaps)


@dataclass(frozen=True, eq=False, repr=False)
class BlockTransform(Transform):
    """Displacement fields of blocks side by side, without any transition.

    Where a block's field leads out of the block there is nothing to show: the block was aligned as
    a picture of its own. Such points are mapped to nan. So it is in Liu et al. 2022,
    doi:10.1109/CVPRW56347.2022.00198, sec. 3.3, where this leaves black borders.
    """

    blocks: tuple[DisplacementField, ...]
    """The fields in reading order; a block reaches as far as the grid of its field."""
    columns: int
    """Blocks in a row."""
    shows_gaps: bool = True
    """Whether points that are led out of their block are nan; False: they go where they are led."""

    @property
    def source(self) -> Space:
        """The space whose points go in."""
        return self.blocks[0].source

    @property
    def target(self) -> Space:
        """The space whose points come out."""
        return self.blocks[0].target

    def __call__(self, points_um: Points) -> Points:
        """Map (N, 2) points, µm in, µm out; nan where there is a gap.

        Points beyond the outer blocks belong to the nearest one.
        """
        points = as_points(points_um)
        out = np.full(points.shape, np.nan)
        members = self._find_blocks(points)
        for number in np.unique(members):
            inside = members == number
            block = self.blocks[number]
            moved = block(points[inside])
            if self.shows_gaps:
                moved[~block.grid.contains(moved)] = np.nan
            out[inside] = moved
        return out

    def _find_blocks(self, points: Points) -> np.ndarray[tuple[int], np.dtype[np.int_]]:
        """Return the number of each point's block, (N,)."""
        lefts = [block.grid.origin_um[0] for block in self.blocks[1 : self.columns]]
        tops = [block.grid.origin_um[1] for block in self.blocks[self.columns :: self.columns]]
        column = np.searchsorted(lefts, points[:, 0], side="right")
        row = np.searchsorted(tops, points[:, 1], side="right")
        return np.asarray(row * self.columns + column)

    def inverse(self) -> Transform:
        """Raise `StainbridgeError`: blocks that are cut hard overlap and gape on the other side."""
        raise StainbridgeError("blocks that are cut hard have no inverse; blend them linearly")


def find_block_transform(transform: Transform) -> BlockTransform | None:
    """Return the member of a chain that leaves gaps, None where there is none."""
    for member in split_chain(transform):
        if isinstance(member, BlockTransform) and member.shows_gaps:
            return member
    return None


def close_gaps(transform: Transform) -> Transform:
    """Return a transform whose points all lead somewhere: nothing is lost between blocks."""
    members = [
        replace(member, shows_gaps=False) if isinstance(member, BlockTransform) else member
        for member in split_chain(transform)
    ]
    return members[0] if len(members) == 1 else Chain(tuple(members))


def _share_out(blocks: int, slide: Frame) -> tuple[int, int]:
    """Return rows and columns whose product is `blocks` and whose blocks are nearest to squares."""
    width_um, height_um = slide.size_um
    divisors = [rows for rows in range(1, blocks + 1) if blocks % rows == 0]

    def measure_oblongness(rows: int) -> float:
        return abs(math.log(height_um / rows / (width_um / (blocks // rows))))

    rows = min(divisors, key=measure_oblongness)
    return rows, blocks // rows


def _make_axis(length: int, count: int, spacing: int, overlap: bool) -> TileAxis:
    stride = -(-length // (count * spacing)) * spacing
    margin = round(OVERLAP * stride / spacing) * spacing if overlap else 0
    return TileAxis.beyond(length, stride, margin, max(margin, 1), spacing)


def _clip_nodes(axis: TileAxis, index: int, spacing: int, count: int) -> tuple[int, int]:
    """Return a block's first node and the one after its last, inside the slide."""
    start, stop = axis.window(index)
    return max(0, start // spacing), min(count, stop // spacing)
