"""Tiles show what the slides hold, and every other request gets one line."""

from __future__ import annotations

from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.conftest import Sample
from tests.viewer.conftest import SIDE_PX, Result, decode, serve_session

from stainbridge.slides.open import open_slide
from stainbridge.viewer.pyramid import TilePyramid
from stainbridge.viewer.rendering import choose_channel_views, parse_rendering, render
from stainbridge.viewer.session import Session
from stainbridge.viewer.sources import SlidesSource

TILES = "/api/cases/case-1/layers/{layer}/tiles/{level}/{column}/{row}"


def fetch(client: httpx.Client, layer: str, tile: tuple[int, int, int], **query: str) -> bytes:
    level, column, row = tile
    reply = client.get(
        TILES.format(layer=layer, level=level, column=column, row=row),
        params={"encoding": "png", **query},
    )
    assert reply.status_code == 200, reply.text
    return reply.content


@pytest.mark.parametrize("level", [10, 9, 7, 0])
def test_all_tiles_of_a_level_together_are_the_slide(
    client: httpx.Client, shared_result: Result, level: int
) -> None:
    with shared_result.registration.open_slide("fixed") as fixed:
        assert_tiles_are(client, "fixed", fixed, level)


@pytest.mark.parametrize("level", [10, 8])
def test_tiles_of_the_moving_slide_are_its_warped_pixels(
    client: httpx.Client, shared_result: Result, level: int
) -> None:
    with shared_result.registration.warp_slide() as warped:
        assert_tiles_are(client, "moving", warped, level)


def assert_tiles_are(client: httpx.Client, layer: str, slide: object, level: int) -> None:
    pyramid = TilePyramid(slide.frame)
    width, height = pyramid.level_size(level)
    for row in range(-(-height // 256)):
        for column in range(-(-width // 256)):
            frame = pyramid.tile_frame(level, column, row)
            expected = np.moveaxis(slide.read(frame).pixels, 0, -1)
            picture = decode(fetch(client, layer, (level, column, row)))
            np.testing.assert_array_equal(picture, expected)


def test_before_alignment_the_slides_lie_corner_on_corner(
    client: httpx.Client, shared_result: Result
) -> None:
    with open_slide(shared_result.moving) as moving:
        pixels = moving.read(TilePyramid(moving.frame).tile_frame(10, 1, 1)).pixels
    expected = np.moveaxis(pixels, 0, -1).astype(int)
    picture = decode(fetch(client, "moving", (10, 1, 1), placed="unaligned"))
    height = min(len(picture), len(expected))
    width = min(picture.shape[1], expected.shape[1])
    assert min(height, width) > 100
    difference = picture[:height, :width] - expected[:height, :width]
    assert np.abs(difference).mean() < 1


def test_aligned_tiles_agree_with_the_fixed_slide_and_unaligned_ones_do_not(
    client: httpx.Client,
) -> None:
    fixed = decode(fetch(client, "fixed", (8, 0, 0))).mean(axis=2).ravel()
    aligned = decode(fetch(client, "moving", (8, 0, 0))).mean(axis=2).ravel()
    before = decode(fetch(client, "moving", (8, 0, 0), placed="unaligned")).mean(axis=2).ravel()
    assert np.corrcoef(fixed, aligned)[0, 1] > 0.6
    assert np.corrcoef(fixed, aligned)[0, 1] > np.corrcoef(fixed, before)[0, 1] + 0.2


@pytest.mark.parametrize(("encoding", "kind"), [("jpg", "image/jpeg"), ("webp", "image/webp")])
def test_lossy_tiles_look_the_same(client: httpx.Client, encoding: str, kind: str) -> None:
    path = TILES.format(layer="fixed", level=9, column=0, row=0)
    reply = client.get(path, params={"encoding": encoding})
    assert reply.headers["content-type"] == kind
    exact = decode(fetch(client, "fixed", (9, 0, 0))).astype(float)
    assert np.abs(decode(reply.content) - exact).mean() < 4


def test_a_stain_is_shown_alone(client: httpx.Client, shared_result: Result) -> None:
    pixels = decode(fetch(client, "moving", (9, 0, 0)))
    picture = decode(fetch(client, "moving", (9, 0, 0), stain="dab", colour="ff00ff"))
    np.testing.assert_array_equal(picture, render(pixels, parse_rendering("dab", "ff00ff")))


def test_a_tile_has_a_name_and_is_not_sent_twice(client: httpx.Client) -> None:
    path = TILES.format(layer="moving", level=9, column=0, row=0)
    first = client.get(path)
    again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert not again.content
    other = client.get(path, params={"stain": "dab"})
    assert other.headers["etag"] != first.headers["etag"]
    assert "immutable" in first.headers["cache-control"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (TILES.format(layer="fixed", level=10, column=3, row=0), 404),
        (TILES.format(layer="fixed", level=11, column=0, row=0), 404),
        (TILES.format(layer="fixed", level=10, column=-1, row=0), 422),
        (TILES.format(layer="fixed", level=10, column=0, row=10**30), 422),
        (TILES.format(layer="fixed", level=10, column=0, row=2**31 - 1), 404),
        (TILES.format(layer="fixed", level=10, column="x", row=0), 422),
        (TILES.format(layer="moving-2", level=9, column=0, row=0), 404),
        (TILES.format(layer="fixed", level=9, column=0, row=0) + "?stain=none", 400),
        (TILES.format(layer="fixed", level=9, column=0, row=0) + "?encoding=bmp", 422),
        (TILES.format(layer="fixed", level=9, column=0, row=0) + "?channels=9:ffffff:0:1", 400),
        ("/api/cases/case-2", 404),
        ("/api/cases/case-2/layers/fixed/tiles/0/0/0", 404),
    ],
)
def test_what_is_not_there_is_refused_in_one_line(
    client: httpx.Client, path: str, status: int
) -> None:
    reply = client.get(path)
    assert reply.status_code == status
    (line,) = reply.json().values()
    assert line
    assert "\n" not in line


def test_fluorescence_is_shown_in_the_channels_that_are_asked_for(
    samples: dict[str, Sample],
) -> None:
    path = samples["ome fluorescence"].path
    with (
        Session("slide", (SlidesSource("slide", (path,)),)) as session,
        serve_session(session) as client,
    ):
        (layer,) = client.get("/api/cases/case-1").json()["layers"]
        assert [channel["name"] for channel in layer["channels"]] == [
            "DAPI", "CD3", "CD8", "autofluorescence",
        ]  # fmt: skip
        words = "0:0000ff:0:40000,2:ff0000:100:60000"
        picture = decode(
            fetch(client, "fixed", (layer["scanned"]["last_level"], 0, 0), channels=words)
        )
    with open_slide(path) as slide:
        pixels = slide.read(TilePyramid(slide.frame).tile_frame(10, 0, 0)).pixels
        assert len(choose_channel_views(slide)) == 4
    expected = render(np.moveaxis(pixels, 0, -1), parse_rendering(channels=words))
    np.testing.assert_array_equal(picture, expected)


def test_a_case_says_what_its_layers_are(client: httpx.Client, shared_result: Result) -> None:
    case = client.get("/api/cases/case-1").json()
    fixed, moving = case["layers"]
    assert (fixed["id"], moving["id"]) == ("fixed", "moving")
    assert fixed["aligned"] == fixed["scanned"]
    assert fixed["aligned"]["width"] == SIDE_PX
    assert fixed["aligned"]["last_level"] == 10
    assert moving["aligned"] == fixed["aligned"]
    assert moving["status"] == "ok"
    assert moving["predicted_um"] == pytest.approx(
        0.001 * shared_result.registration.fixed.diagonal_um
    )
    assert moving["flip"] is True


def test_slides_that_are_not_registered_are_laid_corner_on_corner(shared_result: Result) -> None:
    paths = (shared_result.fixed, shared_result.moving)
    with (
        Session("slides", (SlidesSource("slides", paths),)) as session,
        serve_session(session) as client,
    ):
        layer = client.get("/api/cases/case-1").json()["layers"][1]
        assert layer["is_aligned"] is False
        assert layer["status"] is None
        loose = decode(fetch(client, "moving", (9, 0, 0)))
        before = decode(fetch(client, "moving", (9, 0, 0), placed="unaligned"))
    np.testing.assert_array_equal(loose, before)


def test_a_slide_deleted_while_it_is_shown_is_one_line(own_result: Result) -> None:
    from stainbridge.viewer.sources import ResultSource

    sources = tuple(ResultSource(str(number), (own_result.folder,)) for number in range(6))
    with Session("cases", sources) as session, serve_session(session) as client:
        assert client.get("/api/cases/case-1").status_code == 200
        own_result.moving.unlink()
        assert client.get("/api/cases/case-1/layers/moving/tiles/9/0/0").status_code in (200, 410)
        reply = client.get("/api/cases/case-2")
        assert reply.status_code == 410
        assert "ki67.ome.tiff: no such file" in reply.json()["error"]
        own_result.folder.joinpath("registration.json").unlink()
        assert client.get("/api/cases/case-3").status_code == 410


def test_the_page_names_only_files_that_are_there(client: httpx.Client) -> None:
    import re

    page = client.get("/").text
    names = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    assert len(names) >= 4
    for name in names:
        assert client.get(name).status_code == 200, name
    folder = Path(__file__).parents[2] / "src" / "stainbridge" / "viewer" / "static"
    for module in folder.glob("*.js"):
        for target in re.findall(r'from "\./([^"]+)"', module.read_text(encoding="utf-8")):
            assert (folder / target).is_file(), f"{module.name} imports {target}"
