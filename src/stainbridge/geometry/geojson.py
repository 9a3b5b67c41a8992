"""Move QuPath annotations (GeoJSON) from one slide to another.

Only positions change: ids, classes, measurements, names, planes and everything else stay as they
are. All positions of a file are collected into one array, mapped once, and put back.
"""

from __future__ import annotations

import gc
import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError, MissingFileError
from stainbridge.geometry.densify import find_insertions
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.geojson_document import (
    MAX_COORDINATE_PX,
    Document,
    Json,
    Line,
    is_position,
    position_error,
)
from stainbridge.geometry.packed_json import unpack_json
from stainbridge.geometry.transform import Transform
from stainbridge.types import Points
from stainbridge.whole import whole_file

PixelMap: TypeAlias = Callable[[Points], Points]
Indices: TypeAlias = npt.NDArray[np.intp]

#: Positions mapped in one call, which bounds the memory.
POINTS_PER_BATCH = 500_000
#: Decimals of the written pixel coordinates.
DECIMALS = 4


def warp_geojson(
    data: Json,
    transform: Transform,
    *,
    from_offset_px: tuple[float, float] = (0, 0),
    to_offset_px: tuple[float, float] = (0, 0),
    tolerance_px: float = 0.5,
) -> Json:
    """Return annotations of the slide `transform.source` moved to the slide `transform.target`.

    `data` is a FeatureCollection, a Feature, a geometry or a list of Features, in full-resolution
    pixels from the top-left corner. It is not changed. `from_offset_px` and `to_offset_px` are the
    corners that the annotating program counts from (`SlideInfo.bounds_px`). Long edges get vertices
    where the warped edge would be off by more than `tolerance_px`. Rings stay closed and keep their
    sense of rotation through a flip.

    Raises `InputError`, naming the feature by its index, for what is not valid GeoJSON.
    """

    def map_pixels(px: Points) -> Points:
        um = transform.source.frame.to_um(px + np.asarray(from_offset_px, float))
        return np.asarray(transform.target.frame.to_px(transform(um)) - to_offset_px)

    with _pause_garbage_collector():
        document = Document(data)
        if document.lines:
            _warp_lines(document.lines, map_pixels, tolerance_px)
            document.update_bounding_boxes()
    return document.content


def read_geojson(path: Path) -> Json:
    """Read the JSON of a `.geojson` or `.json` file, which may be gzipped or alone in a zip.

    Raises `InputError` when it is missing, not JSON, or enormous.
    """
    if not path.is_file():
        raise MissingFileError("no such annotation file", where=path)
    try:
        raw = path.read_bytes()
        with _pause_garbage_collector():
            return json.loads(unpack_json(raw, path))
    except json.JSONDecodeError as error:
        raise InputError(
            "not JSON", where=f"{path} line {error.lineno}", expected="GeoJSON", got=error
        ) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise InputError("not a GeoJSON file", where=path, got=error) from error


def write_geojson(path: Path, data: Json) -> None:
    """Write `data`, gzipped when the name ends in `.gz`; the file appears whole or not at all."""
    content = format_geojson(data, packed=path.suffix.lower() == ".gz")
    with whole_file(path) as temporary:
        temporary.write_bytes(content)


def format_geojson(data: Json, *, packed: bool) -> bytes:
    """Return the bytes of a GeoJSON file, gzipped where `packed`; the same for the same data."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    content = text.encode("utf-8", "backslashreplace")  # half a pair of surrogates
    return gzip.compress(content, mtime=0) if packed else content


def count_outside(data: Json, frame: Frame, offset_px: tuple[float, float]) -> tuple[int, int]:
    """Return how many lines of positions lie beyond a slide altogether, and how many there are.

    Positions are in full-resolution pixels, counted from `offset_px`.
    """
    lines = Document(data).lines
    outside = 0
    for line in lines:
        px = np.array([position[:2] for position in line.positions], float) + offset_px
        beyond = (px.max(axis=0) < 0) | (px.min(axis=0) > (frame.width, frame.height))
        outside += bool(beyond.any())
    return outside, len(lines)


@contextmanager
def _pause_garbage_collector() -> Iterator[None]:
    """Pause the cyclic garbage collector, which would visit millions of living lists repeatedly."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _warp_lines(lines: list[Line], mapping: PixelMap, tolerance_px: float) -> None:
    """Map the positions of all lines and put the new lists into the lines' owners."""
    points, ends = _collect_points(lines)
    starts = _edge_starts(lines, ends)
    points, ends, source = _densify(points, ends, starts, mapping, tolerance_px)
    batches = range(0, len(points), POINTS_PER_BATCH)
    warped = np.concatenate([mapping(points[i : i + POINTS_PER_BATCH]) for i in batches])
    _check_finite(warped, points, lines, ends)
    flipped = _signed_areas(points, ends) * _signed_areas(warped, ends) < 0
    rows = np.round(warped, DECIMALS).tolist()
    begin = 0
    for line, end, reverse in zip(lines, ends.tolist(), flipped.tolist(), strict=True):
        positions = rows[begin:end]
        if any(len(position) > 2 for position in line.positions):
            _restore_further_numbers(positions, line.positions, source[begin:end])
        if line.closed:  # the same point may differ in its last bit where it is computed twice
            positions[-1] = list(positions[0])
        line.owner[line.key] = positions[::-1] if line.ring and reverse else positions
        begin = end


def _collect_points(lines: list[Line]) -> tuple[Points, Indices]:
    """Return all x, y as (N, 2), and where each line ends in it, (L,)."""
    flat = [number for line in lines for position in line.positions for number in position[:2]]
    if set(map(type, flat)) <= {int, float}:
        points = np.array(flat, np.float64).reshape(-1, 2)
        if (np.abs(points) < MAX_COORDINATE_PX).all():
            return points, np.cumsum([len(line.positions) for line in lines])
    line = next(
        line for line in lines if not all(is_position(position) for position in line.positions)
    )
    raise position_error(line.positions, line.feature)


def _edge_starts(lines: list[Line], ends: Indices) -> Indices:
    """Return the points that an edge starts from: all but the last of each line or ring."""
    is_start = np.repeat([line.edges for line in lines], np.diff(ends, prepend=0))
    is_start[ends - 1] = False
    return np.flatnonzero(is_start)


def _densify(
    points: Points, ends: Indices, starts: Indices, mapping: PixelMap, tolerance_px: float
) -> tuple[Points, Indices, Indices]:
    """Insert the points that the edges need.

    Returns the points, the new line ends, and for each point the old one at or before it.
    """
    edge, t = find_insertions(points[starts], points[starts + 1], mapping, tolerance_px)
    before = starts[edge]
    inserted = points[before] * (1 - t)[:, None] + points[before + 1] * t[:, None]
    source = np.insert(np.arange(len(points)), before + 1, before)
    return (
        np.insert(points, before + 1, inserted, axis=0),
        ends + np.searchsorted(before, ends, side="left"),
        source,
    )


def _check_finite(warped: Points, points: Points, lines: list[Line], ends: Indices) -> None:
    lost = np.flatnonzero(~np.isfinite(warped).all(axis=1))
    if len(lost):
        line = lines[int(np.searchsorted(ends, lost[0], side="right"))]
        got = points[lost[0]].tolist()
        raise InputError(
            "a position has no finite place on the other slide", where=line.feature, got=got
        )


def _signed_areas(points: Points, ends: Indices) -> npt.NDArray[np.float64]:
    """Return twice the signed area inside each line, taken as a ring, (L,)."""
    starts = np.concatenate([[0], ends[:-1]])
    # Relative to the line's first point, for precision far from the origin.
    local = points - np.repeat(points[starts], np.diff(ends, prepend=0), axis=0)
    following = np.roll(local, -1, axis=0)
    following[ends - 1] = 0  # back to the ring's own start
    return np.add.reduceat(local[:, 0] * following[:, 1] - local[:, 1] * following[:, 0], starts)


def _restore_further_numbers(
    new: list[list[float]], old: list[list[float]], source: Indices
) -> None:
    """Give each new position the z (and what follows it) of the old position at or before it."""
    for position, index in zip(new, (source - source[0]).tolist(), strict=True):
        position += old[index][2:]
