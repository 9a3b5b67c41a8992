from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile
from tests.cli.conftest import FIXED_PIXELS, KnownResult, quarter_turn_registration

import stainbridge
from stainbridge.cli.main import run
from stainbridge.geometry.landmarks import read_points_csv, write_points_csv
from stainbridge.registration.digest import DIGEST, digest_record

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


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write another record with the digest that belongs to it."""
    text = json.dumps({**record, DIGEST: digest_record(record)})
    (folder / "registration.json").write_text(text)


def test_annotations_count_from_the_corner_that_qupath_counts_from(
    known: KnownResult, tmp_path: Path
) -> None:
    record = json.loads((known.folder / "registration.json").read_text())
    record["moving"]["bounds_px"], record["fixed"]["bounds_px"] = [30, 0], [0, 7]
    write_record(known.folder, record)
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
    record = json.loads((known.folder / "registration.json").read_text())
    write_record(known.folder, record | {"status": "failed", "reason": "nothing in common"})
    points, out = write_points(tmp_path / "in.csv", POINTS), tmp_path / "out"
    geojson = tmp_path / "in.geojson"
    geojson.write_text('{"type": "Point", "coordinates": [1, 2]}')
    source = {"points": [points], "geojson": [geojson], "slide": []}[kind]
    line = error_of(["warp", kind, known.folder, *source, "--out", out], capsys, code=3)
    assert "nothing in common" in line
    assert not out.exists()


def test_every_other_column_of_points_is_kept(known: KnownResult, tmp_path: Path) -> None:
    at = known.moving_from_fixed_px(POINTS)
    rows = [f"{x:.6f};{i * 7};{y:.6f};class {i}" for i, (x, y) in enumerate(at)]
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("\n".join(["X;ID;Y;note", *rows]).replace(".", ","))
    assert run(["warp", "points", str(known.folder), str(source), "--out", str(out)]) == 0
    header, *lines = out.read_text().splitlines()
    assert header == "X;ID;Y;note"
    cells = [line.split(";") for line in lines]
    assert [cell[1::2] for cell in cells] == [["0", "class 0"], ["7", "class 1"], ["14", "class 2"]]
    moved = [[float(cell[i].replace(",", ".")) for i in (0, 2)] for cell in cells]
    assert np.array(moved) == pytest.approx(POINTS, abs=1e-3)


def test_centroids_in_micrometres_use_the_pixel_size_of_each_slide(tmp_path: Path) -> None:
    fixed = stainbridge.Space("he", 100, 140, (0.5, 0.5)).frame
    moving = stainbridge.Space("ki67", 200, 280, (0.25, 0.25)).frame
    registration = quarter_turn_registration(fixed, moving)
    registration.save(tmp_path / "result")
    at_um = registration.transform(fixed.to_um(POINTS))
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    rows = [f"p{i},Tumor,{x:.6f},{y:.6f}" for i, (x, y) in enumerate(at_um)]
    source.write_text(
        "\n".join(["Name,Class,Centroid X µm,Centroid Y µm", *rows]), encoding="utf-8"
    )
    assert run(["warp", "points", str(tmp_path / "result"), str(source), "--out", str(out)]) == 0
    points, labels = read_points_csv(out, fixed)
    assert points == pytest.approx(POINTS, abs=1e-3)
    assert labels == ("p0", "p1", "p2")


LABELS = np.zeros((100, 140), np.uint8)
LABELS[10:60, 20:70] = 1
LABELS[30:90, 60:101] = 2
LABELS[5:25, 90:131] = 7
LABELS[61:96, 5:41] = 200
LABELS[40:45, 110:115] = 255


def on_moving(picture: np.ndarray) -> np.ndarray:
    return np.rot90(picture, -1).repeat(2, axis=0).repeat(2, axis=1)


@pytest.mark.parametrize("kind", ["labels.png", "labels.tif", "colours.png"])
@pytest.mark.parametrize("crop", ["fixed", "overlap"])
def test_labels_stay_whole(
    kind: str,
    crop: str,
    known: KnownResult,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source, out = tmp_path / kind, tmp_path / "out.ome.tif"
    colours = np.random.default_rng(3).integers(0, 255, (256, 3)).astype(np.uint8)
    truth = colours[LABELS] if kind == "colours.png" else LABELS
    if kind == "labels.tif":
        tifffile.imwrite(source, on_moving(truth))
    else:
        PIL.Image.fromarray(on_moving(truth)).save(source)
    arguments = ["--moving", str(source), "--out", str(out), "--crop", crop]
    assert run(["warp", "slide", str(known.folder), *arguments]) == 0
    assert "labels" in capsys.readouterr().err
    with stainbridge.open_slide(out) as slide:
        pixels = np.moveaxis(slide.read(slide.frame).pixels, 0, -1)
    np.testing.assert_array_equal(pixels, np.atleast_3d(truth))


def test_labels_off_the_grid_get_no_values_between(known: KnownResult, tmp_path: Path) -> None:
    source, out = tmp_path / "labels.png", tmp_path / "out.ome.tif"
    PIL.Image.fromarray(np.roll(on_moving(LABELS), 1, axis=(0, 1))).save(source)
    arguments = ["warp", "slide", str(known.folder), "--moving", str(source), "--out", str(out)]
    counts = {}
    for options in ([], ["--interpolation", "nearest"], ["--interpolation", "linear"]):
        assert run([*arguments, *options, "--overwrite"]) == 0
        with stainbridge.open_slide(out) as slide:
            levels = [np.unique(slide.read(level).pixels) for level in slide.levels]
        counts[options[-1] if options else "chosen"] = len(np.unique(np.concatenate(levels)))
    assert counts["chosen"] == counts["nearest"] == 6
    assert counts["linear"] > 6


def shifted_result(folder: Path, mpp: float | None) -> stainbridge.Registration:
    """Save a result whose moving slide covers x 30 to 90, y 20 to 80 of the fixed one."""
    size_um = (mpp or 1.0, mpp or 1.0)
    is_calibrated = mpp is not None
    fixed = stainbridge.Space("he", 100, 140, size_um, calibrated=is_calibrated).frame
    moving = stainbridge.Space("ki67.png", 60, 60, size_um, calibrated=is_calibrated).frame
    matrix = np.array([[1, 0, -30 * size_um[0]], [0, 1, -20 * size_um[0]], [0, 0, 1.0]])
    registration = quarter_turn_registration(fixed, moving, matrix)
    source = folder.parent / "ki67.png"
    PIL.Image.fromarray(FIXED_PIXELS[20:80, 30:90]).save(source)
    registration.save(folder, None, source)
    return registration


@pytest.mark.parametrize("mpp", [None, 0.5])
@pytest.mark.parametrize("crop", ["moving", "overlap"])
def test_a_crop_says_where_it_lies(
    crop: str, mpp: float | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "result", tmp_path / "out.ome.tif"
    shifted_result(folder, mpp)
    assert run(["warp", "slide", str(folder), "--out", str(out), "--crop", crop]) == 0
    assert "corner is at 30, 20 px of the fixed slide" in capsys.readouterr().err
    with tifffile.TiffFile(out) as tif:
        xml = tif.ome_metadata or ""
    unit, scale = ("pixel", 1.0) if mpp is None else ("µm", mpp)
    assert f'PositionX="{30 * scale}" PositionXUnit="{unit}"' in html.unescape(xml)
    assert f'PositionY="{20 * scale}" PositionYUnit="{unit}"' in html.unescape(xml)
    out = tmp_path / "out.ome.zarr"
    assert run(["warp", "slide", str(folder), "--out", str(out), "--crop", crop]) == 0
    node = json.loads((out / "zarr.json").read_text())
    multiscale = node["attributes"]["ome"]["multiscales"][0]
    _, place = multiscale["datasets"][0]["coordinateTransformations"]
    assert place["translation"] == [0, 20 * scale, 30 * scale]
    assert ("unit" in multiscale["axes"][1]) == (mpp is not None)


@pytest.mark.parametrize("crop", ["fixed", "overlap", "moving"])
def test_annotations_and_points_can_count_from_a_crop(crop: str, tmp_path: Path) -> None:
    folder = tmp_path / "result"
    shifted_result(folder, 0.5)
    origin = np.array([0, 0] if crop == "fixed" else [30, 20])
    marks, out = tmp_path / "in.geojson", tmp_path / "out.geojson"
    marks.write_text('{"type": "Point", "coordinates": [5, 7]}')
    arguments = [str(folder), str(marks), "--out", str(out), "--crop", crop]
    assert run(["warp", "geojson", *arguments]) == 0
    expected = np.array([35, 27]) - origin
    assert json.loads(out.read_text())["coordinates"] == pytest.approx(expected, abs=1e-3)
    source = write_points(tmp_path / "in.csv", np.array([[5.0, 7]]))
    points = [str(folder), str(source), "--out", str(tmp_path / "out.csv"), "--crop", crop]
    assert run(["warp", "points", *points]) == 0
    assert read_points_csv(tmp_path / "out.csv")[0] == pytest.approx(expected[None], abs=1e-3)


def test_a_crop_on_the_way_to_the_moving_slide_is_refused(
    known: KnownResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_points(tmp_path / "in.csv", POINTS)
    arguments: list[object] = ["warp", "points", known.folder, source, "--crop", "overlap"]
    line = error_of([*arguments, "--to", "moving", "--out", tmp_path / "out.csv"], capsys)
    assert "a crop is one of the fixed slide" in line
