"""Points to insert into polygons, so that their warped edges follow the map between vertices."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from stainbridge.types import Points

#: Edges up to this length are left alone, in pixels: those of cells sag by less than half a pixel.
LONGEST_UNTESTED_EDGE_PX = 12.0
#: An edge is sampled about this often along its length, in pixels.
SAMPLE_SPACING_PX = 16.0
#: Samples along an edge, at most.
MAX_SAMPLES = 1024
#: Points mapped in one call, which bounds the memory.
POINTS_PER_BATCH = 1_000_000


def find_insertions(
    start: Points, end: Points, mapping: Callable[[Points], Points], tolerance_px: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Find the points that keep the warped edges within `tolerance_px` of the true curve.

    Edges lead from `start` to `end`, both (N, 2). Returns the edge of each inserted point, (M,),
    ascending, and its position along that edge, (M,), 0 < t < 1, ascending within an edge. Points
    are chosen by a greedy split (Douglas and Peucker 1973, doi:10.3138/FM57-6770-U75U-7727) among
    samples at powers of two.
    """
    lengths = np.hypot(*(end - start).T)
    intervals = np.clip(lengths / SAMPLE_SPACING_PX, 4, MAX_SAMPLES)
    intervals = 2 ** np.ceil(np.log2(intervals)).astype(int)
    tested = lengths > LONGEST_UNTESTED_EDGE_PX
    edges = [np.empty(0, np.intp)]
    positions = [np.empty(0)]
    for count in np.unique(intervals[tested]):
        same_count = np.flatnonzero((intervals == count) & tested)
        t = np.linspace(0, 1, count + 1)
        for batch in _split_into_batches(same_count, count + 1):
            points = start[batch, None] * (1 - t)[:, None] + end[batch, None] * t[:, None]
            mapped = mapping(points.reshape(-1, 2)).reshape(points.shape)
            for curved in np.flatnonzero(_sag(mapped).max(axis=1) > tolerance_px):
                inserted = _simplify(mapped[curved], tolerance_px)
                edges.append(np.full(len(inserted), batch[curved]))
                positions.append(t[inserted])
    edge = np.concatenate(edges)
    position = np.concatenate(positions)
    order = np.lexsort((position, edge))
    return edge[order], position[order]


def _split_into_batches(
    indices: npt.NDArray[np.intp], points_each: int
) -> Iterator[npt.NDArray[np.intp]]:
    size = max(1, POINTS_PER_BATCH // points_each)
    return (indices[first : first + size] for first in range(0, len(indices), size))


def _sag(lines: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the distances, (..., K), of lines (..., K, 2) from the segment between their ends."""
    first = lines[..., :1, :]
    chord = lines[..., -1:, :] - lines[..., :1, :]
    along = ((lines - first) * chord).sum(-1, keepdims=True) / np.maximum(
        (chord**2).sum(-1, keepdims=True), 1e-12
    )
    foot = first + np.clip(along, 0, 1) * chord
    return np.asarray(np.hypot(*np.moveaxis(lines - foot, -1, 0)))


def _simplify(line: npt.NDArray[np.float64], tolerance_px: float) -> list[int]:
    """Return the inner points of a line (K, 2) that keep it within `tolerance_px`, ascending."""
    inner: list[int] = []
    open_spans = [(0, len(line) - 1)]
    while open_spans:
        first, last = open_spans.pop()
        if last - first < 2:
            continue
        sag = _sag(line[first : last + 1])
        furthest = int(sag.argmax())
        if sag[furthest] > tolerance_px:
            inner.append(first + furthest)
            open_spans += [(first, first + furthest), (first + furthest, last)]
    return sorted(inner)
