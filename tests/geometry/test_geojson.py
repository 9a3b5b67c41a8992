from __future__ import annotations

import copy
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Space
from stainbridge.geometry.geojson import read_geojson, warp_geojson, write_geojson
from stainbridge.geometry.transform import Affine, Chain, DisplacementField, Projective, Transform

FIXED = Space("fixed", 4000, 5000, (0.5, 0.5)).frame
MOVING = Space("moving", 4000, 5000, (0.25, 0.25)).frame


def affine(*, flip: bool = False) -> Affine:
    """A turn by 30° with a change of scale, and a mirror image if asked for."""
    c, s = np.cos(np.radians(30)), np.sin(np.radians(30))
    linear = np.array([[c, -s], [s, c]]) @ np.diag([-0.6 if flip else 0.6, 0.6])
    return Affine(
        np.array([[*linear[0], 900.0], [*linear[1], 100.0], [0, 0, 1]]), FIXED.space, MOVING.space
    )


def wave(amplitude_um: float = 30.0) -> DisplacementField:
    grid = FIXED.fit(128)
    x, y = (grid.centres_um() / FIXED.size_um).T.reshape(2, grid.height, grid.width)
    u = amplitude_um * np.stack([np.sin(2 * np.pi * y), np.cos(2 * np.pi * x)])
    return DisplacementField(u.astype(np.float32), grid, FIXED.space, FIXED.space)


def bent(*, flip: bool = False) -> Chain:
    return Chain((wave(), affine(flip=flip)))


def px_map(transform: Transform, px: Any) -> npt.NDArray[np.float64]:
    return MOVING.to_px(transform(FIXED.to_um(np.array(px, float))))


def feature(geometry: Any, **more: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": "a-1",
        "geometry": geometry,
        "properties": {"objectType": "annotation"},
        **more,
    }


def polygon(*rings: list[list[float]]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def square(x: float, y: float, side: float) -> list[list[float]]:
    return [[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]


def area(ring: list[list[float]]) -> float:
    x, y = np.array(ring).T[:2]
    return float(0.5 * np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))


GEOMETRIES: dict[str, Any] = {
    "Point": [10.5, 20.25],
    "MultiPoint": [[1, 2], [3, 4]],
    "LineString": [[1, 2], [3, 4], [5, 6]],
    "MultiLineString": [[[1, 2], [3, 4]], [[7, 8], [9, 1]]],
    "Polygon": [square(10, 10, 3), square(11, 11, 1)[::-1]],
    "MultiPolygon": [[square(10, 10, 3)], [square(20, 20, 3), square(21, 21, 1)[::-1]]],
}


def shape_of(value: Any) -> Any:
    return [shape_of(item) for item in value] if isinstance(value, list) else None


@pytest.mark.parametrize("kind", GEOMETRIES)
def test_every_geometry_keeps_its_structure_and_is_mapped(kind: str) -> None:
    before = feature(
        {"type": kind, "coordinates": GEOMETRIES[kind], "plane": {"c": -1, "z": 2, "t": 0}}
    )
    after = warp_geojson(before, affine())
    assert shape_of(after["geometry"]["coordinates"]) == shape_of(GEOMETRIES[kind])
    flat_before = np.array(list(numbers(GEOMETRIES[kind]))).reshape(-1, 2)
    flat_after = np.array(list(numbers(after["geometry"]["coordinates"]))).reshape(-1, 2)
    assert np.allclose(flat_after, px_map(affine(), flat_before), atol=1e-4)
    assert after["geometry"]["plane"] == {"c": -1, "z": 2, "t": 0}


def numbers(value: Any) -> Any:
    if isinstance(value, list):
        for item in value:
            yield from numbers(item)
    else:
        yield value


@pytest.mark.parametrize(
    "form", ["collection", "list", "feature", "geometry", "geometry collection"]
)
def test_every_form_of_document_is_taken(form: str) -> None:
    point = {"type": "Point", "coordinates": [100.0, 200.0]}
    document = {
        "collection": {"type": "FeatureCollection", "features": [feature(point)], "name": "kept"},
        "list": [feature(point)],
        "feature": feature(point),
        "geometry": point,
        "geometry collection": {"type": "GeometryCollection", "geometries": [point]},
    }[form]
    before = json.dumps(document)
    after = json.dumps(warp_geojson(document, affine()))
    x, y = px_map(affine(), [[100.0, 200.0]])[0].round(4).tolist()
    assert json.loads(after) == json.loads(before.replace("[100.0, 200.0]", f"[{x}, {y}]"))
    assert json.dumps(document) == before


def test_only_places_change_in_a_qupath_cell() -> None:
    cell = feature(
        polygon(square(100, 100, 8)),
        nucleusGeometry=polygon(square(102, 102, 3)),
        properties={
            "objectType": "cell",
            "classification": {"name": "Tumor: Positive", "color": [200, 0, 0]},
            "measurements": {"Cell: Area": 64.0, "bad": None},
            "isLocked": True,
            "childObjects": [feature(polygon(square(101, 101, 2)), id="child")],
        },
    )
    untouched = copy.deepcopy(cell)
    after = warp_geojson({"type": "FeatureCollection", "features": [cell]}, bent())["features"][0]
    assert cell == untouched
    for moved, was in [
        (after["geometry"], cell["geometry"]),
        (after["nucleusGeometry"], cell["nucleusGeometry"]),
        (
            after["properties"]["childObjects"][0]["geometry"],
            cell["properties"]["childObjects"][0]["geometry"],
        ),
    ]:
        assert np.allclose(
            moved["coordinates"][0], px_map(bent(), was["coordinates"][0]), atol=1e-4
        )
        moved["coordinates"] = was["coordinates"]
    assert after == cell


def test_a_long_edge_bends_with_the_tissue_and_no_more_points_than_it_needs() -> None:
    transform, ring = bent(), square(500, 500, 3000)
    after = np.array(warp_geojson(feature(polygon(ring)), transform)["geometry"]["coordinates"][0])
    along = np.linspace(0, 1, 2001)[:, None]
    truth = np.concatenate(
        [np.array(a) * (1 - along) + np.array(b) * along for a, b in pairwise(ring)]
    )
    assert distance_to_line(px_map(transform, truth), after).max() < 0.6
    assert 20 < len(after) < 200
    assert np.array_equal(after[0], after[-1])


def distance_to_line(
    points: npt.NDArray[np.float64], line: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    a, b = line[:-1], line[1:]
    t = ((points[:, None] - a) * (b - a)).sum(-1) / ((b - a) ** 2).sum(-1)
    return np.linalg.norm(a + np.clip(t, 0, 1)[..., None] * (b - a) - points[:, None], axis=-1).min(
        axis=1
    )


def test_no_points_are_added_by_an_affine_map_or_to_cells() -> None:
    assert len(warp_geojson(polygon(square(0, 0, 4000)), affine())["coordinates"][0]) == 5
    assert len(warp_geojson(polygon(square(900, 900, 12)), bent())["coordinates"][0]) == 5


@pytest.mark.parametrize("transform", [affine(flip=True), bent(flip=True)], ids=["affine", "bent"])
def test_a_flip_keeps_the_rings_sense_of_rotation(transform: Transform) -> None:
    outer, hole = square(500, 500, 900), square(600, 600, 100)[::-1]
    after = warp_geojson(polygon(outer, hole), transform)["coordinates"]
    assert [np.sign(area(ring)) for ring in after] == [
        np.sign(area(ring)) for ring in (outer, hole)
    ]
    assert [ring[0] == ring[-1] for ring in after] == [True, True]
    line = {"type": "LineString", "coordinates": [[0, 0], [5, 0], [5, 5], [0, 0]]}
    assert np.allclose(
        warp_geojson(line, transform)["coordinates"][1], px_map(transform, [[5, 0]]), atol=1e-4
    )


@given(
    st.lists(
        st.tuples(st.floats(50, 4900), st.floats(50, 3900)), min_size=3, max_size=12, unique=True
    ),
    st.booleans(),
)
def test_there_and_back_is_where_it_was(corners: list[tuple[float, float]], flip: bool) -> None:
    points = {"type": "MultiPoint", "coordinates": [list(corner) for corner in corners]}
    there = warp_geojson(points, bent(flip=flip))
    back = warp_geojson(there, bent(flip=flip).inverse())
    assert np.allclose(back["coordinates"], points["coordinates"], atol=0.01)


def test_depth_and_boxes_follow() -> None:
    ring = [[*xy, 7.0] for xy in square(500, 500, 2000)]
    box = [500, 500, 7, 2500, 2500, 7]
    inner = {"type": "Polygon", "coordinates": [ring], "bbox": box}
    document = {
        "type": "FeatureCollection",
        "bbox": [500, 500, 2500, 2500],
        "features": [feature(inner, bbox=box)],
    }
    after = warp_geojson(document, bent(flip=True))
    moved = after["features"][0]["geometry"]["coordinates"][0]
    assert {position[2] for position in moved} == {7.0}
    assert len(moved) > len(ring)
    low, high = np.min(moved, axis=0).tolist(), np.max(moved, axis=0).tolist()
    assert after["features"][0]["bbox"] == after["features"][0]["geometry"]["bbox"] == [*low, *high]
    assert after["bbox"] == [*low[:2], *high[:2]]


def test_an_ellipse_becomes_a_polygon() -> None:
    after = warp_geojson(feature({**polygon(square(0, 0, 5)), "isEllipse": True}), affine())
    assert "isEllipse" not in after["geometry"]


def test_an_annotating_program_may_count_from_another_corner() -> None:
    point = {"type": "Point", "coordinates": [10.0, 20.0]}
    plain = warp_geojson({"type": "Point", "coordinates": [110.0, 220.0]}, affine())["coordinates"]
    offset = warp_geojson(point, affine(), from_offset_px=(100, 200), to_offset_px=(3, 4))[
        "coordinates"
    ]
    assert np.allclose(offset, np.array(plain) - (3, 4), atol=1e-4)


def test_what_has_no_place_is_kept() -> None:
    for document in (
        {"type": "FeatureCollection", "features": []},
        [],
        feature(None),
        feature({"type": "Polygon", "coordinates": []}),
        feature({"type": "Point", "coordinates": []}),
    ):
        assert warp_geojson(document, bent()) == document


@pytest.mark.parametrize(
    ("geometry", "message"),
    [
        ({"type": "Circle", "coordinates": [1, 2]}, "unknown geometry.*Circle"),
        ({"type": "Point"}, "Point without coordinates"),
        ({"type": "Point", "coordinates": [1, "2"]}, r"not a position.*\[1, '2'\]"),
        ({"type": "Point", "coordinates": [[1, 2]]}, "not a position"),
        ({"type": "Polygon", "coordinates": [[1, 2], [3, 4]]}, "not a position.*got 1"),
        ({"type": "Polygon", "coordinates": [7]}, "not nested"),
        ({"type": "Polygon", "coordinates": [[[1, 2], [3, float("nan")]]]}, "not a position.*nan"),
        ({"type": "LineString", "coordinates": [[1, 2], [3]]}, r"not a position.*\[3\]"),
        ({"type": "MultiPoint", "coordinates": [[1, 2], [None, 1]]}, "not a position.*None"),
        ({"type": "GeometryCollection"}, "GeometryCollection without geometries"),
        ({**polygon(square(0, 0, 1)), "bbox": [1]}, "not a bbox"),
        ("text", "unknown geometry"),
    ],
)
def test_bad_geometry_is_refused_by_the_number_of_its_feature(geometry: Any, message: str) -> None:
    good = feature({"type": "Point", "coordinates": [1, 2]})
    with pytest.raises(InputError, match=f"^feature 1: .*{message}"):
        warp_geojson([good, feature(geometry)], affine())


@pytest.mark.parametrize(
    "document", [7, "text", None, {}, {"type": "Topology"}, [3], {"type": "FeatureCollection"}]
)
def test_what_is_no_geojson_is_refused(document: Any) -> None:
    with pytest.raises(InputError):
        warp_geojson(document, affine())


def test_a_position_that_is_lost_is_refused() -> None:
    horizon = Projective(
        np.array([[1.0, 0, 0], [0, 1, 0], [-1.0, 0, 50.0]]), FIXED.space, MOVING.space
    )
    with (
        np.errstate(divide="ignore", invalid="ignore"),
        pytest.raises(InputError, match=r"feature 0: .*no finite place.*\[100\.0, 3\.0\]"),
    ):
        warp_geojson(feature({"type": "MultiPoint", "coordinates": [[1, 2], [100, 3]]}), horizon)


@pytest.mark.parametrize("name", ["a.geojson", "a.geojson.gz"])
def test_files_come_back(tmp_path: Path, name: str) -> None:
    document = feature(polygon(square(1, 2, 3)), properties={"name": "Färbung µ"})
    write_geojson(tmp_path / name, document)
    assert read_geojson(tmp_path / name) == document
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_bad_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.geojson").write_text('{"type": \n "Feature",,}')
    (tmp_path / "binary.geojson").write_bytes(b"\xff\xfe\xff")
    (tmp_path / "cut.geojson").write_bytes(b"\x1f\x8b\x08\x00")
    wanted = {
        "bad": r"line 2: not JSON",
        "binary": "not a GeoJSON",
        "cut": "not a GeoJSON",
        "none": "no such",
    }
    for name, message in wanted.items():
        with pytest.raises(InputError, match=message):
            read_geojson(tmp_path / f"{name}.geojson")
