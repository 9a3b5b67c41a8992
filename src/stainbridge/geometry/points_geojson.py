"""Points that were annotated in QuPath, from GeoJSON."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.geojson import read_geojson
from stainbridge.geometry.geojson_document import Json, is_position, position_error
from stainbridge.types import Points

#: The geometries that are points.
POINT_KINDS = ("Point", "MultiPoint")


def read_points_geojson(path: Path) -> tuple[Points, tuple[str, ...]]:
    """Read the point annotations of a GeoJSON file, and their names.

    Annotations of other shapes are passed over. Where one has no name, its points are named by
    their number in the file, from 0. Of a named annotation of several points each name gets the
    number of the point, from 1.

    Args:
        path: A `.geojson` or `.json` file, which may be gzipped.

    Returns:
        Points (N, 2) in full-resolution pixels, x and y, and one name for each.

    Raises:
        InputError: No GeoJSON, no points in it, or a position that is not two finite numbers.
        MissingFileError: There is no such file.

    """
    positions: list[list[float]] = []
    names: list[str] = []
    kinds = set()
    for number, feature in enumerate(_list_features(read_geojson(path), path)):
        geometry = feature.get("geometry") or {}
        kinds.add(str(geometry.get("type")))
        if geometry.get("type") not in POINT_KINDS:
            continue
        found = _list_positions(geometry, f"{path} feature {number}")
        names += _name_points(feature, len(found), first=len(positions))
        positions += found
    if not positions:
        raise InputError(
            "no points in the annotations",
            where=path,
            expected="point annotations",
            got=", ".join(sorted(kinds)) or "nothing",
        )
    return np.array([position[:2] for position in positions], float), tuple(names)


def _list_features(data: Json, path: Path) -> list[Json]:
    """Return the features of a document; a bare geometry counts as one."""
    features = data
    if isinstance(data, dict):
        kind = data.get("type")
        if kind == "FeatureCollection":
            features = data.get("features")
        else:
            features = [data if kind == "Feature" else {"geometry": data}]
    is_list = isinstance(features, list) and all(
        isinstance(feature, dict) and isinstance(feature.get("geometry") or {}, dict)
        for feature in features
    )
    if not is_list:
        raise InputError(
            "not GeoJSON", where=path, expected="features with geometries", got=repr(data)[:60]
        )
    return list(features)


def _list_positions(geometry: Json, where: str) -> list[list[float]]:
    """Return the positions of a Point or MultiPoint."""
    coordinates = geometry.get("coordinates")
    positions = [coordinates] if geometry["type"] == "Point" else coordinates
    if not isinstance(positions, list) or not all(map(is_position, positions)):
        raise position_error(positions if isinstance(positions, list) else [positions], where)
    return positions


def _name_points(feature: Json, count: int, first: int) -> list[str]:
    """Return a name for each point of a feature."""
    properties = feature.get("properties")
    name = properties.get("name") if isinstance(properties, dict) else None
    if name in (None, ""):
        return [str(first + number) for number in range(count)]
    return [str(name)] if count == 1 else [f"{name} {number + 1}" for number in range(count)]
