"""GeoJSON of any shape is warped or refused in one line that names its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stainbridge.errors import InputError, errors_within
from stainbridge.geometry.frame import Space
from stainbridge.geometry.geojson import read_geojson, warp_geojson
from stainbridge.geometry.transform import Affine

SPACE = Space("a", 100, 100, calibrated=False)
SHIFT = Affine(np.array([[1.0, 0, 5], [0, 1, 7], [0, 0, 1]]), SPACE, SPACE)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(["", "Point", "Polygon", "Feature", "FeatureCollection", "GeometryCollection"]),
)
keys = st.sampled_from(
    ["type", "coordinates", "geometry", "geometries", "features", "bbox", "properties", "id"]
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=5)),
    max_leaves=25,
)


def geometries(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    kinds = st.sampled_from(["Point", "MultiPoint", "LineString", "Polygon", "MultiPolygon"])
    return st.fixed_dictionaries({"type": kinds, "coordinates": inner, "bbox": inner})


features = st.fixed_dictionaries(
    {"type": st.just("Feature"), "geometry": geometries(values), "properties": values}
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(values, geometries(values), features, st.lists(features, max_size=2)))
def test_any_value_is_warped_or_refused(content: Any) -> None:
    said = ""
    try:
        with errors_within("areas.geojson"):
            warp_geojson(content, SHIFT)
    except InputError as error:
        said = str(error)
    assert said == "" or said.startswith("areas.geojson")
    assert "\n" not in said


@pytest.mark.parametrize("depth", [50, 300, 900, 100_000])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"type":"GeometryCollection","geometries":[', "]}"),
        ('{"type":"Feature","geometry":null,"properties":{"childObjects":[', "]}}"),
        ('{"type":"Polygon","coordinates":[', "]}"),
        ("[", "]"),
    ],
)
def test_any_depth_is_warped_or_refused(
    before: str, after: str, depth: int, tmp_path: Path
) -> None:
    path = tmp_path / "deep.geojson"
    path.write_text(before * depth + after * depth)
    said = ""
    try:
        with errors_within(path):
            json.dumps(warp_geojson(read_geojson(path), SHIFT))
    except InputError as error:
        said = str(error)
    assert said == "" or said.startswith(str(path))
