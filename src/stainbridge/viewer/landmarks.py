"""Landmark pairs placed by hand: their errors, and their files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.geojson import write_geojson
from stainbridge.geometry.geojson_document import Json
from stainbridge.geometry.landmarks import read_points_csv, write_points_csv
from stainbridge.geometry.transform import Transform
from stainbridge.types import Points

Side: TypeAlias = Literal["fixed", "moving"]

#: The folder of landmarks in a result's folder.
LANDMARKS = "landmarks"
#: Most pairs of one case; placing them by hand ends long before.
MAX_PAIRS = 2000


@dataclass(frozen=True)
class PairSet:
    """Pairs of points that show the same tissue, in full-resolution pixels."""

    fixed: tuple[tuple[float, float], ...] = ()
    """On the fixed slide."""
    moving: tuple[tuple[float, float], ...] = ()
    """On the moving slide, in the same order."""

    def points(self, side: Side) -> Points:
        """Return the points of a side, (N, 2)."""
        return np.array(self.fixed if side == "fixed" else self.moving, float).reshape(-1, 2)

    @property
    def labels(self) -> tuple[str, ...]:
        """The numbers that people see, from 1."""
        return tuple(str(number) for number in range(1, len(self.fixed) + 1))


@dataclass(frozen=True, eq=False)
class PairErrors:
    """How far a transform leaves pairs apart, on the fixed slide."""

    moved_px: Points
    """The moving points brought to the fixed slide, (N, 2); nan where they have no place."""
    errors_um: Points
    """The distance of each from its partner, (N,), in µm."""


def measure_errors(pairs: PairSet, transform: Transform) -> PairErrors:
    """Bring the moving points to the fixed slide and measure each one's error there."""
    fixed = transform.source.frame
    moving_um = transform.target.frame.to_um(pairs.points("moving"))
    if not len(moving_um):
        return PairErrors(np.empty((0, 2)), np.empty(0))
    moved_um = transform.inverse()(moving_um)
    errors_um = np.hypot(*(moved_um - fixed.to_um(pairs.points("fixed"))).T)
    return PairErrors(fixed.to_px(moved_um), errors_um)


def write_pairs(folder: Path, pairs: PairSet) -> tuple[Path, ...]:
    """Write both sides as CSV and GeoJSON into a folder, made if need be; return the files.

    Earlier files of these names are replaced. Raises `InputError` where it cannot be written.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write there: {error.strerror}", where=folder) from error
    written = []
    for side in ("fixed", "moving"):
        table = folder / f"{side}.csv"
        drawing = folder / f"{side}.geojson"
        write_points_csv(table, pairs.points(side), pairs.labels)
        write_geojson(drawing, to_geojson(pairs, side))
        written += [table, drawing]
    return tuple(written)


def read_pairs(folder: Path, fixed: Frame, moving: Frame) -> PairSet:
    """Return the pairs that were saved in a folder; none where there are no files.

    Raises `InputError` for files that are damaged or do not match.
    """
    tables = [folder / f"{side}.csv" for side in ("fixed", "moving")]
    if not all(table.is_file() for table in tables):
        return PairSet()
    frames = (fixed, moving)
    sides = [read_points_csv(*pair)[0] for pair in zip(tables, frames, strict=True)]
    if len(sides[0]) != len(sides[1]):
        raise InputError(
            "the landmarks of the two slides must correspond one to one",
            where=tables[1],
            expected=len(sides[0]),
            got=len(sides[1]),
        )
    first, second = (tuple((float(x), float(y)) for x, y in side) for side in sides)
    return PairSet(first, second)


def to_geojson(pairs: PairSet, side: Side) -> Json:
    """Return the points of a side as QuPath's point annotations, named by their numbers."""
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [x, y]},
            "properties": {"objectType": "annotation", "name": label},
        }
        for label, (x, y) in zip(pairs.labels, pairs.points(side).round(4).tolist(), strict=True)
    ]
    return {"type": "FeatureCollection", "features": features}
