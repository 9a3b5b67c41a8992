"""Straight edges that must bend: the points to insert so that a warped polygon follows the map
between its vertices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from stainbridge.types import Points

SHORTEST_PX = (
    12.0  # an edge this short, as those of cells are, does not sag by half a pixel in tissue
)
SAMPLE_PX = 16.0  # an edge is looked at this often along its length,
MOST_SAMPLES = 1024  # and at most so often
POINTS_AT_ONCE = 1_000_000


def find_insertions(
    start: Points, end: Points, mapping: Callable[[Points], Points], tolerance_px: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Where edges (N, 2) → (N, 2) need points so that their warped chords err by less than
    `tolerance_px`.

    Returns the edge of each inserted point, (M,), ascending, and its place along it, (M,), 0 < t <
    1, ascending within an edge. The fewest that a greedy split finds are chosen (Douglas and
    Peucker 1973, doi:10.3138/FM57-6770-U75U-7727) from samples at powers of two.
    """
    lengths = np.hypot(*(end - start).T)
    pieces = 2 ** np.ceil(np.log2(np.clip(lengths / SAMPLE_PX, 4, MOST_SAMPLES))).astype(int)
    edges, places = [np.empty(0, np.intp)], [np.empty(0)]
    for count in np.unique(pieces[lengths > SHORTEST_PX]):
        alike = np.flatnonzero((pieces == count) & (lengths > SHORTEST_PX))
        t = np.linspace(0, 1, count + 1)
        for some in _batches(alike, count + 1):
            points = start[some, None] * (1 - t)[:, None] + end[some, None] * t[:, None]
            mapped = mapping(points.reshape(-1, 2)).reshape(points.shape)
            for bent in np.flatnonzero(_sag(mapped).max(axis=1) > tolerance_px):
                kept = _split(mapped[bent], tolerance_px)
                edges.append(np.full(len(kept), some[bent]))
                places.append(t[kept])
    edge, place = np.concatenate(edges), np.concatenate(places)
    order = np.lexsort((place, edge))
    return edge[order], place[order]


def _batches(indices: npt.NDArray[np.intp], points_each: int) -> Iterator[npt.NDArray[np.intp]]:
    size = max(1, POINTS_AT_ONCE // points_each)
    return (indices[first : first + size] for first in range(0, len(indices), size))


def _sag(lines: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How far the points of lines (..., K, 2) lie from the straight segment between their ends,
    (..., K).
    """
    first, chord = lines[..., :1, :], lines[..., -1:, :] - lines[..., :1, :]
    along = ((lines - first) * chord).sum(-1, keepdims=True) / np.maximum(
        (chord**2).sum(-1, keepdims=True), 1e-12
    )
    foot = first + np.clip(along, 0, 1) * chord
    return np.asarray(np.hypot(*np.moveaxis(lines - foot, -1, 0)))


def _split(line: npt.NDArray[np.float64], tolerance_px: float) -> list[int]:
    """The inner points of a line (K, 2) to keep so that it errs by at most `tolerance_px`,
    ascending.
    """
    kept: list[int] = []
    open_spans = [(0, len(line) - 1)]
    while open_spans:
        first, last = open_spans.pop()
        if last - first < 2:
            continue
        sag = _sag(line[first : last + 1])
        furthest = int(sag.argmax())
        if sag[furthest] > tolerance_px:
            kept.append(first + furthest)
            open_spans += [(first, first + furthest), (first + furthest, last)]
    return sorted(kept)
