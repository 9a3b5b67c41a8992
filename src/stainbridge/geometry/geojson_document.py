"""The lists of positions in a GeoJSON document, which can be moved together and put back."""

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
#: Coordinates must be smaller than this, in pixels; larger ones are damage, and lose precision.
MAX_COORDINATE_PX = 1e15


@dataclass(frozen=True, eq=False)
class Line:
    """One list of positions: the old ones, and where the new ones go."""

    owner: Any
    """The new list is stored in `owner[key]`."""
    key: Any
    """Where in the owner it is stored."""
    positions: list[list[float]]
    """`[[x, y, …], …]`, never empty."""
    feature: str
    """The feature, for messages."""
    edges: bool
    """Whether neighbours are joined: lines and rings."""
    ring: bool
    """Whether it bounds a polygon."""

    @property
    def closed(self) -> bool:
        """Whether the last position equals the first."""
        return self.positions[0] == self.positions[-1]


@dataclass(eq=False)
class Document:
    """A copy of a GeoJSON document whose `lines` are to be replaced.

    What does not change is shared with the original. Raises `InputError`, naming the feature by its
    index, for what is not valid GeoJSON.
    """

    content: Json
    """The copied document."""
    lines: list[Line] = field(default_factory=list)
    """Its lists of positions."""
    _boxed: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        try:
            self.content = self._copy_document(self.content)
        except RecursionError:
            raise InputError("nested too deeply", expected="GeoJSON") from None

    def update_bounding_boxes(self) -> None:
        """Make every `bbox` fit the positions again; its z range stays."""
        for item in self._boxed:
            xy = np.array([position[:2] for position in _list_positions(item)], float)
            if len(xy):
                low = xy.min(axis=0).tolist()
                high = xy.max(axis=0).tolist()
                half = len(item["bbox"]) // 2
                item["bbox"] = [*low, *item["bbox"][2:half], *high, *item["bbox"][half + 2 :]]

    def _copy_document(self, data: Json) -> Json:
        if isinstance(data, list):
            return self._copy_features(data)
        kind = _find_type(data)
        if kind == "FeatureCollection":
            features = data.get("features")
            if not isinstance(features, list):
                raise InputError(
                    "a FeatureCollection without a list of features", got=repr(features)[:60]
                )
            return self._register_box({**data, "features": self._copy_features(features)}, "file")
        if kind == "Feature":
            return self._copy_feature(data, "feature 0")
        if kind in DEPTH or kind == "GeometryCollection":
            return self._copy_geometry(data, "geometry")
        raise InputError(
            "not GeoJSON",
            expected="a FeatureCollection, Feature, geometry or list",
            got=repr(data)[:60],
        )

    def _copy_features(self, features: list[Json]) -> list[Json]:
        return [self._copy_feature(item, f"feature {n}") for n, item in enumerate(features)]

    def _copy_feature(self, data: Json, feature: str) -> Json:
        if not isinstance(data, dict) or data.get("type") != "Feature":
            raise InputError("not a GeoJSON Feature", where=feature, got=repr(data)[:60])
        copy = dict(data)
        for key in ("geometry", "nucleusGeometry"):
            if copy.get(key) is not None:
                copy[key] = self._copy_geometry(copy[key], feature)
        properties = copy.get("properties")
        if isinstance(properties, dict) and isinstance(properties.get("childObjects"), list):
            children = [
                self._copy_feature(child, f"{feature} child {n}")
                for n, child in enumerate(properties["childObjects"])
            ]
            copy["properties"] = {**properties, "childObjects": children}
        return self._register_box(copy, feature)

    def _copy_geometry(self, data: Json, feature: str) -> Json:
        kind = _find_type(data)
        if kind not in DEPTH and kind != "GeometryCollection":
            raise InputError(
                "unknown geometry",
                where=feature,
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
                f"a {kind} without {content}", where=feature, got=repr(copy.get(content))[:60]
            )
        if kind == "GeometryCollection":
            copy[content] = [self._copy_geometry(item, feature) for item in copy[content]]
        else:
            self._collect_lines(copy, content, DEPTH[kind], kind, feature)
        return self._register_box(copy, feature)

    def _collect_lines(self, owner: Any, key: Any, depth: int, kind: str, feature: str) -> None:
        value = owner[key]
        if not isinstance(value, list):
            raise InputError(
                f"coordinates of a {kind} are not nested as they should be",
                where=feature,
                got=repr(value)[:60],
            )
        if depth > 0:
            owner[key] = list(value)
            for n in range(len(value)):
                self._collect_lines(owner[key], n, depth - 1, kind, feature)
        elif value:  # an empty geometry is valid GeoJSON
            is_point = depth < 0
            slot = _BarePosition(owner, key) if is_point else owner
            positions = [value] if is_point else value
            if not all(isinstance(position, list) and len(position) >= 2 for position in positions):
                raise position_error(positions, feature)
            self.lines.append(
                Line(slot, key, positions, feature, "Point" not in kind, "Polygon" in kind)
            )

    def _register_box(self, copy: dict[str, Any], feature: str) -> dict[str, Any]:
        box = copy.get("bbox")
        if box is not None:
            if not isinstance(box, list) or len(box) not in (4, 6) or not _are_numbers(box):
                raise InputError(
                    "not a bbox", where=feature, expected="4 or 6 numbers", got=repr(box)[:60]
                )
            self._boxed.append(copy)
        return copy


def _find_type(data: Json) -> str | None:
    """Return the `type` of a GeoJSON object, None for anything else."""
    kind = data.get("type") if isinstance(data, dict) else None
    return kind if isinstance(kind, str) else None


def _are_numbers(values: list[Json]) -> bool:
    return all(type(value) in (int, float) for value in values)


@dataclass(frozen=True, eq=False)
class _BarePosition:
    """The place of a Point's coordinates, which takes the only position of a list."""

    owner: Any
    key: Any

    def __setitem__(self, _: Any, positions: list[list[float]]) -> None:
        self.owner[self.key] = positions[0]


def position_error(positions: list[Json], feature: str) -> InputError:
    """Make the error that names the first invalid one of `positions`."""
    bad = next((position for position in positions if not is_position(position)), positions[0])
    return InputError(
        "not a position", where=feature, expected="[x, y] of finite numbers", got=repr(bad)[:60]
    )


def is_position(value: Json) -> bool:
    """Whether `value` begins with two finite numbers."""
    if not isinstance(value, list) or len(value) < 2:
        return False
    return all(type(v) in (int, float) and abs(v) < MAX_COORDINATE_PX for v in value[:2])


def _list_positions(item: Json) -> Iterator[list[float]]:
    """Yield every position of a geometry, feature or collection."""
    if isinstance(item, list):
        if item and isinstance(item[0], (int, float)):
            yield item
        else:
            for part in item:
                yield from _list_positions(part)
    elif isinstance(item, dict):
        for key in ("features", "geometry", "geometries", "coordinates"):
            yield from _list_positions(item.get(key))
