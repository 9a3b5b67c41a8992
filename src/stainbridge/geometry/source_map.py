"""The map from the pixels of a patch to source pixels: linear between the nodes of a lattice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stainbridge.geometry.flat import Window
from stainbridge.geometry.scratch import Scratch

#: (2, H, W) float32: x and y in pixels of the source grid, 0 = the centre of the pixel at the map's
#: origin.
Coordinates: TypeAlias = npt.NDArray[np.float32]
#: (2, rows, columns) float64: x and y of the nodes, in pixels of the source grid.
Nodes: TypeAlias = npt.NDArray[np.float64]

#: Bounds are widened by this many pixels, since coordinates are drawn in float32.
DRAWING_ERROR_PX = 1e-2
#: Multiplications of one matrix product. Larger products start threads in BLAS, which wait for
#: each other where several threads draw maps.
LARGEST_PRODUCT = 2**18


@dataclass(frozen=True, eq=False)
class Knots:
    """Where the rows or the columns of a patch lie between nodes.

    Beyond the outermost nodes their values continue.
    """

    positions: npt.NDArray[np.float64]
    """The position of each pixel, (N,), ascending; nodes lie at 0, 1, ..."""
    count: int
    """How many nodes there are."""

    @cached_property
    def breaks(self) -> npt.NDArray[np.int_]:
        """The first pixel behind each node, ascending, with 0 and N around them."""
        cells = np.floor(self.positions)
        inner = np.flatnonzero(cells[1:] != cells[:-1]) + 1
        return np.concatenate([[0], inner, [len(cells)]])

    def weigh(self) -> npt.NDArray[np.float64]:
        """Return the weights (N, nodes) of the nodes at each pixel."""
        inside = self.positions.clip(0, self.count - 1)
        weights = np.maximum(1 - np.abs(inside[:, None] - np.arange(self.count)), 0)
        return np.asarray(weights, np.float64)

    def find_ends(self, part: slice) -> npt.NDArray[np.int_]:
        """Return the first and the last pixel of `part` between each two nodes."""
        inner = self.breaks[(self.breaks > part.start) & (self.breaks < part.stop)]
        return np.concatenate([[part.start], inner - 1, inner, [part.stop - 1]])


def locate_between_nodes(positions: npt.NDArray[np.float64], nodes: int) -> tuple[Knots, slice]:
    """Return where ascending `positions`, (N,), lie between nodes at 0, 1, … `nodes` − 1.

    Also returns which nodes are used; the others are not counted.
    """
    first, last = (
        min(max(end, 0), nodes - 1)
        for end in (math.floor(positions[0]), math.floor(positions[-1]) + 1)
    )
    return Knots(positions - first, last - first + 1), slice(first, last + 1)


@dataclass(frozen=True, eq=False)
class SourceMap:
    """A map of the pixels of a patch, bilinear between nodes, plus an affine map of them."""

    down: Knots
    """Where the rows of the patch lie between the rows of nodes."""
    across: Knots
    """Where the columns of the patch lie between the columns of nodes."""
    nodes: Nodes
    """What is interpolated, in source pixels counted from `origin`."""
    affine: npt.NDArray[np.float64]
    """(2, 3): what is added, of column, row and 1, in source pixels."""
    origin: tuple[int, int]
    """The source pixel (x, y) that the map is counted from."""
    scratch: Scratch
    """Holds `coordinates`."""

    def bound(self, part: Window) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the least and the greatest coordinates (x, y) in a part of the patch.

        A bilinear map has its extremes at the nodes.
        """
        left, right = self._factors
        rows = self.down.find_ends(part[0])
        columns = self.across.find_ends(part[1])
        ends = (left[:, rows] @ right[:, columns]).reshape(2, -1).astype(np.float64)
        return ends.min(axis=1) - DRAWING_ERROR_PX, ends.max(axis=1) + DRAWING_ERROR_PX

    @cached_property
    def coordinates(self) -> Coordinates:
        """The map at every pixel, in `scratch`: valid until the next one is drawn there."""
        left, right = self._factors
        height, width = left.shape[1], right.shape[1]
        out: Coordinates = self.scratch.array("coords", (2, height, width), np.float32)
        rows_at_once = max(1, LARGEST_PRODUCT // right.size)
        for plane, factor in zip(out, left, strict=True):
            for top in range(0, height, rows_at_once):
                rows = slice(top, top + rows_at_once)
                np.matmul(factor[rows], right, out=plane[rows])
        return out

    @cached_property
    def _factors(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Matrices (2, H, nodes) and (nodes, W), whose product is the map.

        Two nodes more carry the affine map: [1, row] @ [[a, c], [0, b]] @ [column, 1].
        """
        height, width = len(self.down.positions), len(self.across.positions)
        rows, columns = self.down.count, self.across.count
        nodes = np.zeros((2, rows + 2, columns + 2))
        nodes[:, :rows, :columns] = self.nodes
        nodes[:, rows, columns] = self.affine[:, 0]
        nodes[:, rows, columns + 1] = self.affine[:, 2]
        nodes[:, rows + 1, columns + 1] = self.affine[:, 1]
        down = np.empty((height, rows + 2))
        down[:, :rows] = self.down.weigh()
        down[:, rows] = 1
        down[:, rows + 1] = np.arange(height)
        right = np.empty((columns + 2, width), np.float32)
        right[:columns] = self.across.weigh().T
        right[columns] = np.arange(width)
        right[columns + 1] = 1
        return (down @ nodes).astype(np.float32), right
