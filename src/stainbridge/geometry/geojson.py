"""QuPath annotations (GeoJSON) carried from one slide to another.

Only places change: ids, classes, measurements, names, planes and everything else stay as they are.
All positions of a file are gathered into one array, mapped once, and put back.
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
from stainbridge.geometry.geojson_document import (
    FARTHEST_PX,
    Document,
    Json,
    Line,
    is_position,
    position_error,
)
from stainbridge.geometry.transform import Transform
from stainbridge.types import Points
from stainbridge.whole import whole_file

PixelMap: TypeAlias = Callable[[Points], Points]
Indices: TypeAlias = npt.NDArray[np.intp]

POINTS_AT_ONCE = 500_000
DECIMALS = 4


def warp_geojson(
    data: Json,
    transform: Transform,
    *,
    from_offset_px: tuple[float, float] = (0, 0),
    to_offset_px: tuple[float, float] = (0, 0),
    tolerance_px: float = 0.5,
) -> Json:
    """`data` of `transform.source`'s slide moved to `transform.target`'s; `data` itself is
    not changed.

    `data` is a FeatureCollection, a Feature, a geometry or a list of Features, in full-resolution
    pixels from the top-left corner; `transform`'s frames are the slides' full-resolution frames.
    `from_offset_px`, `to_offset_px`: the corner that the annotating program counts from
    (`SlideInfo.bounds_px`). Long edges get vertices where the warped edge would be off by more than
    `tolerance_px`. Rings stay closed and keep their sense of rotation through a flip.

    Raises `InputError`, naming the feature by its index, for what is not valid GeoJSON.
    """

    def mapping(px: Points) -> Points:
        um = transform.source.frame.to_um(px + np.asarray(from_offset_px, float))
        return np.asarray(transform.target.frame.to_px(transform(um)) - to_offset_px)

    with _many_small_objects():
        document = Document(data)
        if document.lines:
            _warp(document.lines, mapping, tolerance_px)
            document.renew_boxes()
    return document.content


def read_geojson(path: Path) -> Json:
    """The JSON of a `.geojson` or `.json` file, also gzipped; raises `InputError` when missing or
    no JSON.
    """
    if not path.is_file():
        raise MissingFileError("no such annotation file", where=path)
    try:
        raw = path.read_bytes()
        with _many_small_objects():
            return json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
    except json.JSONDecodeError as error:
        raise InputError(
            "not JSON", where=f"{path} line {error.lineno}", expected="GeoJSON", got=error.msg
        ) from error
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise InputError("not a GeoJSON file", where=path, got=str(error)) from error


def write_geojson(path: Path, data: Json) -> None:
    """Write `data`, gzipped when the name ends in `.gz`; the file appears whole or not at all."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    with whole_file(path) as temporary:
        temporary.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


@contextmanager
def _many_small_objects() -> Iterator[None]:
    """Rest the cyclic garbage collector: it would look through millions of living lists over and
    over.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _warp(lines: list[Line], mapping: PixelMap, tolerance_px: float) -> None:
    """Map the positions of all lines and put the new lists into the lines' owners."""
    points, ends = _gathered(lines)
    points, ends, source = _densified(points, ends, _leading(lines, ends), mapping, tolerance_px)
    warped = np.concatenate(
        [mapping(points[i : i + POINTS_AT_ONCE]) for i in range(0, len(points), POINTS_AT_ONCE)]
    )
    _check_finite(warped, points, lines, ends)
    turned = _signed_areas(points, ends) * _signed_areas(warped, ends) < 0
    rows, begin = np.round(warped, DECIMALS).tolist(), 0
    for line, end, reverse in zip(lines, ends.tolist(), turned.tolist(), strict=True):
        fresh = rows[begin:end]
        if any(len(position) > 2 for position in line.positions):
            _restore_further_numbers(fresh, line.positions, source[begin:end])
        if line.closed:  # the same point may differ in its last bit where it is computed twice
            fresh[-1] = list(fresh[0])
        line.owner[line.key] = fresh[::-1] if line.ring and reverse else fresh
        begin = end


def _gathered(lines: list[Line]) -> tuple[Points, Indices]:
    """All x, y as (N, 2), and where each line ends in it, (L,)."""
    flat = [number for line in lines for position in line.positions for number in position[:2]]
    if set(map(type, flat)) <= {int, float}:
        points = np.array(flat, np.float64).reshape(-1, 2)
        if (np.abs(points) < FARTHEST_PX).all():
            return points, np.cumsum([len(line.positions) for line in lines])
    line = next(
        line for line in lines if not all(is_position(position) for position in line.positions)
    )
    raise position_error(line.positions, line.place)


def _leading(lines: list[Line], ends: Indices) -> Indices:
    """The points that an edge leads away from: all but the last of each line or ring."""
    leads = np.repeat([line.edges for line in lines], np.diff(ends, prepend=0))
    leads[ends - 1] = False
    return np.flatnonzero(leads)


def _densified(
    points: Points, ends: Indices, leading: Indices, mapping: PixelMap, tolerance_px: float
) -> tuple[Points, Indices, Indices]:
    """Points with those inserted that the edges need, the new line ends, and each point's old one
    at or before it.
    """
    edge, t = find_insertions(points[leading], points[leading + 1], mapping, tolerance_px)
    before = leading[edge]
    fresh = points[before] * (1 - t)[:, None] + points[before + 1] * t[:, None]
    source = np.insert(np.arange(len(points)), before + 1, before)
    return (
        np.insert(points, before + 1, fresh, axis=0),
        ends + np.searchsorted(before, ends, side="left"),
        source,
    )


def _check_finite(warped: Points, points: Points, lines: list[Line], ends: Indices) -> None:
    lost = np.flatnonzero(~np.isfinite(warped).all(axis=1))
    if len(lost):
        place = lines[int(np.searchsorted(ends, lost[0], side="right"))].place
        got = points[lost[0]].tolist()
        raise InputError("a position has no finite place on the other slide", where=place, got=got)


def _signed_areas(points: Points, ends: Indices) -> npt.NDArray[np.float64]:
    """Twice the signed area inside each line, taken as a ring, (L,)."""
    starts = np.concatenate([[0], ends[:-1]])
    local = points - np.repeat(
        points[starts], np.diff(ends, prepend=0), axis=0
    )  # for precision far from the origin
    following = np.roll(local, -1, axis=0)
    following[ends - 1] = 0  # back to the ring's own start
    return np.add.reduceat(local[:, 0] * following[:, 1] - local[:, 1] * following[:, 0], starts)


def _restore_further_numbers(
    fresh: list[list[float]], old: list[list[float]], source: Indices
) -> None:
    """Give each new position the z (and what follows it) of the old position at or before it."""
    for position, index in zip(fresh, (source - source[0]).tolist(), strict=True):
        position += old[index][2:]
