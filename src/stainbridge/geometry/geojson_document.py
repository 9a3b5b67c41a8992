"""The lists of positions in a GeoJSON document, gathered so that they can be moved together and put
back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from stainbridge.errors import InputError

Json: TypeAlias = Any

#: How deep the lists of positions lie in the `coordinates` of each geometry; a Point has a bare
#: position.
DEPTH = {
    "Point": -1,
    "MultiPoint": 0,
    "LineString": 0,
    "MultiLineString": 1,
    "Polygon": 1,
    "MultiPolygon": 2,
}
FARTHEST_PX = 1e15


@dataclass(frozen=True, eq=False)
class Line:
    """One list of positions, `[[x, y, …], …]`, never empty: what it was, and where (`owner[key]`) a
    new one goes.

    `edges`: neighbours are joined (lines and rings); `ring`: it bounds a polygon; `place`: the
    feature, in words.
    """

    owner: Any
    key: Any
    positions: list[list[float]]
    place: str
    edges: bool
    ring: bool

    @property
    def closed(self) -> bool:
        """Whether it ends where it began."""
        return self.positions[0] == self.positions[-1]


@dataclass(eq=False)
class Document:
    """A copy of a GeoJSON document whose `lines` are to be replaced; what does not change is shared
    with the original.

    Raises `InputError`, naming the feature by its index, for what is not valid GeoJSON.
    """

    content: Json
    lines: list[Line] = field(default_factory=list)
    _boxed: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.content = self._document(self.content)

    def renew_boxes(self) -> None:
        """Make every `bbox` fit the positions again; its z range stays."""
        for item in self._boxed:
            xy = np.array([position[:2] for position in _positions(item)], float)
            if len(xy):
                low, high, half = (
                    xy.min(axis=0).tolist(),
                    xy.max(axis=0).tolist(),
                    len(item["bbox"]) // 2,
                )
                item["bbox"] = [*low, *item["bbox"][2:half], *high, *item["bbox"][half + 2 :]]

    def _document(self, data: Json) -> Json:
        if isinstance(data, list):
            return [self._feature(item, f"feature {n}") for n, item in enumerate(data)]
        kind = data.get("type") if isinstance(data, dict) else None
        if kind == "FeatureCollection":
            features = data.get("features")
            if not isinstance(features, list):
                raise InputError(
                    "a FeatureCollection without a list of features", got=repr(features)[:60]
                )
            return self._boxes(
                {
                    **data,
                    "features": [
                        self._feature(item, f"feature {n}") for n, item in enumerate(features)
                    ],
                },
                "file",
            )
        if kind == "Feature":
            return self._feature(data, "feature 0")
        if kind in DEPTH or kind == "GeometryCollection":
            return self._geometry(data, "geometry")
        raise InputError(
            "not GeoJSON",
            expected="a FeatureCollection, Feature, geometry or list",
            got=repr(data)[:60],
        )

    def _feature(self, data: Json, place: str) -> Json:
        if not isinstance(data, dict) or data.get("type") != "Feature":
            raise InputError("not a GeoJSON Feature", where=place, got=repr(data)[:60])
        copy = dict(data)
        for key in ("geometry", "nucleusGeometry"):
            if copy.get(key) is not None:
                copy[key] = self._geometry(copy[key], place)
        properties = copy.get("properties")
        if isinstance(properties, dict) and isinstance(properties.get("childObjects"), list):
            children = [
                self._feature(child, f"{place} child {n}")
                for n, child in enumerate(properties["childObjects"])
            ]
            copy["properties"] = {**properties, "childObjects": children}
        return self._boxes(copy, place)

    def _geometry(self, data: Json, place: str) -> Json:
        kind = data.get("type") if isinstance(data, dict) else None
        if kind not in DEPTH and kind != "GeometryCollection":
            raise InputError(
                "unknown geometry",
                where=place,
                expected=", ".join(DEPTH),
                got=repr(kind or data)[:60],
            )
        copy = dict(data)
        # QuPath rebuilds such an ellipse from its bounding box, and a warped one is no longer
        # upright.
        copy.pop("isEllipse", None)
        content = "geometries" if kind == "GeometryCollection" else "coordinates"
        if not isinstance(copy.get(content), list):
            raise InputError(
                f"a {kind} without {content}", where=place, got=repr(copy.get(content))[:60]
            )
        if kind == "GeometryCollection":
            copy[content] = [self._geometry(item, place) for item in copy[content]]
        else:
            self._coordinates(copy, content, DEPTH[kind], kind, place)
        return self._boxes(copy, place)

    def _coordinates(self, owner: Any, key: Any, depth: int, kind: str, place: str) -> None:
        value = owner[key]
        if not isinstance(value, list):
            raise InputError(
                f"coordinates of a {kind} are not nested as they should be",
                where=place,
                got=repr(value)[:60],
            )
        if depth > 0:
            owner[key] = list(value)
            for n in range(len(value)):
                self._coordinates(owner[key], n, depth - 1, kind, place)
        elif value:  # an empty geometry is valid GeoJSON
            slot, positions = (_Bare(owner, key), [value]) if depth < 0 else (owner, value)
            if not all(isinstance(position, list) and len(position) >= 2 for position in positions):
                raise position_error(positions, place)
            self.lines.append(
                Line(slot, key, positions, place, "Point" not in kind, "Polygon" in kind)
            )

    def _boxes(self, copy: dict[str, Any], place: str) -> dict[str, Any]:
        box = copy.get("bbox")
        if box is not None:
            if not isinstance(box, list) or len(box) not in (4, 6):
                raise InputError(
                    "not a bbox", where=place, expected="4 or 6 numbers", got=repr(box)[:60]
                )
            self._boxed.append(copy)
        return copy


@dataclass(frozen=True, eq=False)
class _Bare:
    """Takes a list of one position for a Point, which holds the bare position."""

    owner: Any
    key: Any

    def __setitem__(self, _: Any, positions: list[list[float]]) -> None:
        self.owner[self.key] = positions[0]


def position_error(positions: list[Json], place: str) -> InputError:
    """The error that names the first of `positions` that is none."""
    bad = next((position for position in positions if not is_position(position)), positions[0])
    return InputError(
        "not a position", where=place, expected="[x, y] of finite numbers", got=repr(bad)[:60]
    )


def is_position(value: Json) -> bool:
    """Whether `value` begins with two finite numbers."""
    if not isinstance(value, list) or len(value) < 2:
        return False
    return all(type(v) in (int, float) and abs(v) < FARTHEST_PX for v in value[:2])


def _positions(item: Json) -> Iterator[list[float]]:
    """Every position of a geometry, feature or collection."""
    if isinstance(item, list):
        if item and isinstance(item[0], (int, float)):
            yield item
        else:
            for part in item:
                yield from _positions(part)
    elif isinstance(item, dict):
        for key in ("features", "geometry", "geometries", "coordinates"):
            yield from _positions(item.get(key))
