"""Points, grids, maps and annotations through the server."""

from __future__ import annotations

import json

import httpx
import numpy as np
import pytest
from tests.viewer.conftest import SIDE_PX, Result, decode

LAYER = "/api/cases/case-1/layers/{}"
MOVING = LAYER.format("moving")


def test_a_point_is_the_same_on_the_other_slide_and_back(
    client: httpx.Client, shared_result: Result
) -> None:
    points = [[100.5, 200.25], [640, 20], [333, 333]]
    asked = {"points": points, "to": "layer"}
    moved = client.post(f"{MOVING}/points", json=asked).json()["points"]
    expected = shared_result.registration.warp_points(points, to="moving")
    np.testing.assert_allclose(moved, expected, atol=1e-6)
    back = client.post(f"{MOVING}/points", json={"points": moved, "to": "fixed"}).json()["points"]
    np.testing.assert_allclose(back, points, atol=0.01)
    same = client.post(f"{LAYER.format('fixed')}/points", json=asked).json()["points"]
    np.testing.assert_allclose(same, points)


@pytest.mark.parametrize(
    "body",
    [
        b'{"points": [[1]], "to": "layer"}',
        b'{"points": [[1, NaN]], "to": "layer"}',
        b'{"points": [[1, 1e300]], "to": "layer"}',
        b'{"points": [[1, 2]], "to": "moon"}',
        b'{"points": 7, "to": "layer"}',
        b"{",
        b"",
    ],
)
def test_what_is_no_points_is_refused(client: httpx.Client, body: bytes) -> None:
    reply = client.post(
        f"{MOVING}/points", content=body, headers={"Content-Type": "application/json"}
    )
    assert reply.status_code == 422
    assert list(reply.json()) == ["error"]


def test_annotations_move_there_and_back_and_keep_what_they_say(
    client: httpx.Client, shared_result: Result
) -> None:
    square = [[100.0, 100.0], [300.0, 100.0], [300.0, 300.0], [100.0, 300.0], [100.0, 100.0]]
    drawn = {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": "a",
                "geometry": {"type": "Polygon", "coordinates": [square]},
                "properties": {"classification": {"name": "Tumor", "color": [200, 0, 0]}},
            }
        ],
    }
    moved = client.post(f"{MOVING}/annotations", params={"to": "layer"}, json=drawn).json()
    assert moved == json.loads(
        json.dumps(shared_result.registration.warp_geojson(drawn, to="moving"))
    )
    back = client.post(f"{MOVING}/annotations", params={"to": "fixed"}, json=moved).json()
    assert back["features"][0]["id"] == "a"
    assert back["features"][0]["properties"] == drawn["features"][0]["properties"]
    ring = np.array(back["features"][0]["geometry"]["coordinates"][0])
    assert ring.min() == pytest.approx(100, abs=1)
    assert ring.max() == pytest.approx(300, abs=1)


@pytest.mark.parametrize(
    "body",
    [
        b'{"type": "FeatureCollection"}',
        b'{"type": "Feature", "geometry": {"type": "Point", "coordinates": ["a", 1]}}',
        b'{"type": "Feature", "geometry": {"type": "Point", "coordinates": [1e400, 1]}}',
        b'{"type": "Topology"}',
        b"[1, 2]",
        b"null",
        b'"\\ud800"',
        b"[" * 100_000,
        b'{"type": "FeatureCollection", "features": [',
    ],
)
def test_broken_geojson_is_one_line(client: httpx.Client, body: bytes) -> None:
    for layer in ("moving", "fixed"):
        reply = client.post(
            f"{LAYER.format(layer)}/annotations",
            params={"to": "fixed"},
            content=body,
            headers={"Content-Type": "application/json"},
        )
        assert reply.status_code in (400, 422), reply.text
        assert "\n" not in reply.json()["error"]
    assert client.get("/api/session").status_code == 200


def test_the_grid_is_the_moving_slides(client: httpx.Client, shared_result: Result) -> None:
    lines = client.get(f"{MOVING}/grid").json()["lines"]
    outline = np.concatenate([np.array(line) for line in lines[:4]])
    on_moving = shared_result.registration.warp_points(outline, to="moving")
    moving = shared_result.registration.moving
    edges = np.stack([on_moving[:, 0], moving.width - on_moving[:, 0],
                      on_moving[:, 1], moving.height - on_moving[:, 1]])  # fmt: skip
    assert np.abs(edges).min(axis=0).max() < 1


def test_maps_lie_over_the_whole_fixed_slide(client: httpx.Client) -> None:
    area = client.get(f"{MOVING}/maps/area")
    assert float(area.headers["x-limit"]) > 1
    agreement = decode(client.get(f"{MOVING}/maps/agreement").content)
    assert decode(area.content).shape == agreement.shape == (SIDE_PX, SIDE_PX, 4)
    tissue = agreement[..., 3] > 0
    assert 0.05 < tissue.mean() < 0.95
    green = agreement[tissue][:, 1].astype(int) - agreement[tissue][:, 0]
    assert np.median(green) > 0  # aligned tissue agrees
    assert client.get(f"{MOVING}/maps/weather").status_code == 422
