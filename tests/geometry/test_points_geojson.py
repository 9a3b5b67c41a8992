"""Points from QuPath: by name, several in one annotation, and files that are not points."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stainbridge.errors import InputError, MissingFileError
from stainbridge.geometry.points_geojson import read_points_geojson


def point(position: Any, name: str | None = None, kind: str = "Point") -> dict[str, Any]:
    properties = {"objectType": "annotation"} | ({} if name is None else {"name": name})
    geometry = {"type": kind, "coordinates": position}
    return {"type": "Feature", "id": "1", "geometry": geometry, "properties": properties}


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


SQUARE = {
    "type": "Feature",
    "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]},
    "properties": {"name": "tumour"},
}


@pytest.mark.parametrize("collected", [True, False])
def test_named_points_are_read_and_other_shapes_passed_over(
    tmp_path: Path, collected: bool
) -> None:
    features = [point([120.5, 80], "north"), SQUARE, point([3, 4.25], "south")]
    content = {"type": "FeatureCollection", "features": features} if collected else features
    points, names = read_points_geojson(write(tmp_path / "a.geojson", content))
    np.testing.assert_array_equal(points, [[120.5, 80], [3, 4.25]])
    assert names == ("north", "south")


def test_several_points_of_one_annotation_are_numbered(tmp_path: Path) -> None:
    features = [
        point([[1, 2], [3, 4]], "duct", "MultiPoint"),
        point([[5, 6], [7, 8]], None, "MultiPoint"),
        point([9, 10]),
        point([[11, 12]], "gland", "MultiPoint"),
    ]
    points, names = read_points_geojson(write(tmp_path / "a.geojson", features))
    assert points.tolist() == [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10], [11, 12]]
    assert names == ("duct 1", "duct 2", "2", "3", "4", "gland")


@pytest.mark.parametrize("content", [point([5, 6]), {"type": "Point", "coordinates": [5, 6, 0]}])
def test_a_single_point_may_stand_alone(tmp_path: Path, content: Any) -> None:
    points, names = read_points_geojson(write(tmp_path / "a.geojson", content))
    assert (points.tolist(), names) == ([[5, 6]], ("0",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([SQUARE], "no points.*point annotations.*Polygon"),
        ([], "no points.*nothing"),
        ([point([1, "2"])], "feature 0: not a position"),
        ([point([1, 2]), point([[1, 2], [3]], None, "MultiPoint")], "feature 1: not a position"),
        ([point(7, None, "MultiPoint")], "not a position"),
        ({"type": "FeatureCollection"}, "not GeoJSON"),
        ([7], "not GeoJSON"),
        ([{"geometry": 7}], "not GeoJSON"),
        ("text", "not GeoJSON"),
    ],
)
def test_what_holds_no_points_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    path = write(tmp_path / "a.geojson", content)
    with pytest.raises(InputError, match=message) as caught:
        read_points_geojson(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such annotation file"):
        read_points_geojson(tmp_path / "a.geojson")
