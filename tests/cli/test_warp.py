from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import FIXED_PIXELS, KnownResult

import stainbridge
from stainbridge.cli.main import run
from stainbridge.geometry.landmarks import read_points_csv, write_points_csv

POINTS = np.array([[10.0, 20], [100, 90], [0, 0]])


def write_points(path: Path, points_px: np.ndarray) -> Path:
    write_points_csv(path, points_px, tuple(f"p{i}" for i in range(len(points_px))))
    return path


def error_of(arguments: list[object], capsys: pytest.CaptureFixture[str], code: int = 2) -> str:
    """The one line a command leaves on standard error."""
    assert run([str(argument) for argument in arguments]) == code
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1, output.err
    return output.err


def test_points_go_to_the_fixed_slide_and_back(known: KnownResult, tmp_path: Path) -> None:
    on_moving = write_points(tmp_path / "in.csv", known.moving_from_fixed_px(POINTS))
    there, back = tmp_path / "there.csv", tmp_path / "back.csv"
    assert run(["warp", "points", str(known.folder), str(on_moving), "--out", str(there)]) == 0
    points, labels = read_points_csv(there)
    assert points == pytest.approx(POINTS, abs=1e-3)
    assert labels == ("p0", "p1", "p2")
    assert (
        run(["warp", "points", str(known.folder), str(there), "--out", str(back), "--to", "moving"])
        == 0
    )
    assert read_points_csv(back)[0] == pytest.approx(known.moving_from_fixed_px(POINTS), abs=1e-3)


def test_annotations_go_to_the_fixed_slide_and_keep_what_they_are(
    known: KnownResult, tmp_path: Path
) -> None:
    corners = np.array([[10.0, 10], [40, 10], [40, 30], [10, 30], [10, 10]])
    feature = {
        "type": "Feature",
        "id": "11c3e5d2-0001",
        "geometry": {
            "type": "Polygon",
            "coordinates": [known.moving_from_fixed_px(corners).tolist()],
        },
        "properties": {
            "objectType": "annotation",
            "classification": {"name": "Tumor", "color": [200, 0, 0]},
        },
    }
    source, out = tmp_path / "in.geojson", tmp_path / "out.geojson"
    source.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    assert run(["warp", "geojson", str(known.folder), str(source), "--out", str(out)]) == 0
    (moved,) = json.loads(out.read_text())["features"]
    assert (moved["id"], moved["properties"]) == (feature["id"], feature["properties"])
    (ring,) = moved["geometry"]["coordinates"]
    assert {tuple(np.round(point, 2)) for point in ring} == {tuple(corner) for corner in corners}


def test_annotations_count_from_the_corner_that_qupath_counts_from(
    known: KnownResult, tmp_path: Path
) -> None:
    path = known.folder / "registration.json"
    record = json.loads(path.read_text())
    record["moving"]["bounds_px"], record["fixed"]["bounds_px"] = [30, 0], [0, 7]
    path.write_text(json.dumps(record))
    source, out = tmp_path / "in.geojson", tmp_path / "out.geojson"
    at = known.moving_from_fixed_px(np.array([[10.0, 20]]))[0] - (30, 0)
    source.write_text(json.dumps({"type": "Point", "coordinates": at.tolist()}))
    assert run(["warp", "geojson", str(known.folder), str(source), "--out", str(out)]) == 0
    assert json.loads(out.read_text())["coordinates"] == pytest.approx([10, 20 - 7], abs=1e-3)


@pytest.mark.parametrize("layout", ["ome-tiff", "tiff"])
def test_the_warped_slide_lies_on_the_fixed_one(
    known: KnownResult, tmp_path: Path, layout: str
) -> None:
    out = tmp_path / "warped.tiff"
    arguments = [
        "warp",
        "slide",
        str(known.folder),
        "--out",
        str(out),
        "--format",
        layout,
        "--compression",
        "deflate",
    ]
    assert run(arguments) == 0
    with stainbridge.open_slide(out) as slide:
        assert (slide.frame.height, slide.frame.width) == (100, 140)
        inside = slide.read(slide.frame.crop(1, 1, 138, 98)).pixels
    assert np.abs(np.moveaxis(inside, 0, -1).astype(int) - FIXED_PIXELS[1:-1, 1:-1]).max() <= 1


def test_the_moving_slide_can_lie_elsewhere_now(
    known: KnownResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere, out = tmp_path / "elsewhere.png", tmp_path / "warped.ome.tiff"
    known.moving.rename(elsewhere)
    line = error_of(["warp", "slide", known.folder, "--out", out], capsys)
    assert "ki67.png: the moving slide is not there" in line
    assert "--moving" in line
    assert (
        run(["warp", "slide", str(known.folder), "--out", str(out), "--moving", str(elsewhere)])
        == 0
    )
    assert out.exists()


def test_another_slide_than_the_registered_one_is_refused(
    known: KnownResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "warped.ome.tiff"
    line = error_of(["warp", "slide", known.folder, "--out", out, "--moving", known.fixed], capsys)
    assert "not the slide that was registered; expected (200, 280) px; got (140, 100)" in line
    assert not out.exists()


@pytest.mark.parametrize("kind", ["points", "geojson"])
def test_an_input_is_never_replaced(
    kind: str, known: KnownResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "same"
    path.write_text("precious")
    assert "would replace the input" in error_of(
        ["warp", kind, known.folder, path, "--out", path], capsys
    )
    assert path.read_text() == "precious"


def test_the_moving_slide_is_never_replaced(
    known: KnownResult, capsys: pytest.CaptureFixture[str]
) -> None:
    before = known.moving.read_bytes()
    line = error_of(["warp", "slide", known.folder, "--out", known.moving], capsys)
    assert "would replace the input" in line
    assert known.moving.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such landmark file"),
        ("a,b\n1,2\n", "columns X and Y"),
        (",X,Y\n0,1,here\n", "line 2: not a number"),
    ],
)
def test_bad_points_are_one_line_and_leave_nothing(
    content: str | None,
    said: str,
    known: KnownResult,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    if content is not None:
        source.write_text(content)
    assert said in error_of(["warp", "points", known.folder, source, "--out", out], capsys)
    assert not out.exists()


def test_a_folder_that_is_no_result_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_points(tmp_path / "in.csv", POINTS)
    line = error_of(["warp", "points", tmp_path, source, "--out", tmp_path / "out.csv"], capsys)
    assert line.startswith(f"error: {tmp_path}: not a registration's folder")


def test_an_output_folder_that_does_not_exist_is_refused(
    known: KnownResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_points(tmp_path / "in.csv", POINTS)
    assert "no such folder" in error_of(
        ["warp", "points", known.folder, source, "--out", tmp_path / "a" / "b"], capsys
    )


@pytest.mark.parametrize("kind", ["points", "geojson", "slide"])
def test_a_failed_registration_moves_nothing(
    kind: str, known: KnownResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = known.folder / "registration.json"
    path.write_text(
        json.dumps(
            json.loads(path.read_text()) | {"status": "failed", "reason": "nothing in common"}
        )
    )
    points, out = write_points(tmp_path / "in.csv", POINTS), tmp_path / "out"
    geojson = tmp_path / "in.geojson"
    geojson.write_text('{"type": "Point", "coordinates": [1, 2]}')
    source = {"points": [points], "geojson": [geojson], "slide": []}[kind]
    line = error_of(["warp", kind, known.folder, *source, "--out", out], capsys, code=3)
    assert "nothing in common" in line
    assert not out.exists()
