"""The map from the pixels of a patch to source pixels: linear between the nodes of a lattice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
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

    Beyond the nodes both neighbours are the outermost node.
    """

    before: npt.NDArray[np.int_]
    """The node before each pixel, (N,), ascending."""
    after: npt.NDArray[np.int_]
    """The node after each pixel, (N,)."""
    fraction: npt.NDArray[np.float64]
    """The position between them, (N,), 0 to 1."""
    count: int
    """How many nodes there are."""

    @cached_property
    def breaks(self) -> npt.NDArray[np.int_]:
        """The first pixel behind each node, ascending, with 0 and N around them."""
        moved = (np.diff(self.before) != 0) | (np.diff(self.after) != 0)
        inner = np.flatnonzero(moved) + 1
        return np.concatenate([[0], inner, [len(self.before)]])

    def weigh(self, pixels: npt.NDArray[np.int_] | None = None) -> npt.NDArray[np.float64]:
        """Return the weights (pixels, nodes) of the nodes at some pixels; None: at all."""
        pixels = np.arange(len(self.before)) if pixels is None else pixels
        weights = np.zeros((len(pixels), self.count))
        index = np.arange(len(pixels))
        fraction = self.fraction[pixels]
        weights[index, self.before[pixels]] = 1 - fraction
        weights[index, self.after[pixels]] += fraction
        return weights

    def find_ends(self, part: slice) -> npt.NDArray[np.int_]:
        """Return the first and the last pixel of `part` between each two nodes."""
        inner = self.breaks[(self.breaks > part.start) & (self.breaks < part.stop)]
        runs = pairwise([part.start, *inner.tolist(), part.stop])
        return np.array([end for first, stop in runs for end in (first, stop - 1)])


def locate_between_nodes(positions: npt.NDArray[np.float64], nodes: int) -> tuple[Knots, slice]:
    """Return where ascending `positions`, (N,), lie between nodes at 0, 1, … `nodes` − 1.

    Also returns which nodes are used; the others are not counted.
    """
    before = np.floor(positions).astype(int)
    first, *_, last = np.clip([before[0], before[-1] + 1], 0, nodes - 1).tolist()
    used = np.clip([before, before + 1], first, last) - first
    knots = Knots(used[0], used[1], positions - before, last - first + 1)
    return knots, slice(first, last + 1)


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
        rows = self.down.find_ends(part[0])
        columns = self.across.find_ends(part[1])
        ends = self.down.weigh(rows) @ self.nodes @ self.across.weigh(columns).T
        a, b, c = self.affine.T[:, :, None, None]
        ends += a * columns + b * rows[:, None] + c
        low = ends.min(axis=(1, 2)) - DRAWING_ERROR_PX
        high = ends.max(axis=(1, 2)) + DRAWING_ERROR_PX
        return low, high

    @cached_property
    def coordinates(self) -> Coordinates:
        """The map at every pixel, in `scratch`: valid until the next one is drawn there."""
        height = len(self.down.before)
        width = len(self.across.before)
        # Two nodes more carry the affine map: [1, row] @ [[a, c], [0, b]] @ [column, 1].
        a, b, c = self.affine.T
        nodes = np.pad(self.nodes, ((0, 0), (0, 2), (0, 2)))
        nodes[:, -2, -2] = a
        nodes[:, -2, -1] = c
        nodes[:, -1, -1] = b
        down = np.column_stack([self.down.weigh(), np.ones(height), np.arange(height)])
        across = np.column_stack([self.across.weigh(), np.arange(width), np.ones(width)])
        left = (down @ nodes).astype(np.float32)
        right = np.ascontiguousarray(across.T, np.float32)
        out: Coordinates = self.scratch.array("coords", (2, height, width), np.float32)
        rows_at_once = max(1, LARGEST_PRODUCT // right.size)
        for plane, factor in zip(out, left, strict=True):
            for top in range(0, height, rows_at_once):
                rows = slice(top, top + rows_at_once)
                np.matmul(factor[rows], right, out=plane[rows])
        return out
