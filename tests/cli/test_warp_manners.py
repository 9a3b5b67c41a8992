"""Warp verbs say what they wrote, warn of what lies off the slide, and do nothing twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from tests.cli.conftest import KnownResult

import stainbridge
from stainbridge.cli.main import run


def write_inputs(folder: Path, x: float) -> tuple[Path, Path]:
    """Write one point and one outline at `x` of the moving slide."""
    points, areas = folder / "in.csv", folder / "in.geojson"
    points.write_text(f",X,Y\n0,{x},20\n1,{x + 1},25\n")
    areas.write_text(json.dumps({"type": "LineString", "coordinates": [[x, 20], [x + 1, 25]]}))
    return points, areas


def commands(known: KnownResult, folder: Path, x: float = 30) -> dict[str, list[str]]:
    points, areas = write_inputs(folder, x)
    return {
        "points": ["warp", "points", str(known.folder), str(points), "--out", f"{folder}/o.csv"],
        "geojson": ["warp", "geojson", str(known.folder), str(areas), "--out", f"{folder}/o.json"],
        "packed": ["warp", "geojson", str(known.folder), str(areas), "--out", f"{folder}/o.gz"],
        "slide": ["warp", "slide", str(known.folder), "--out", f"{folder}/o.tiff"],
        "png": ["warp", "slide", str(known.folder), "--out", f"{folder}/o.png"],
        "zarr": ["warp", "slide", str(known.folder), "--out", f"{folder}/o.ome.zarr"],
    }


def read_files(path: Path) -> dict[str, bytes]:
    """Return the content of a file, or of all files in a folder."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {str(file): file.read_bytes() for file in files if file.is_file()}


@pytest.mark.parametrize("verb", ["points", "geojson", "packed", "slide", "png", "zarr"])
def test_one_line_at_the_end_and_nothing_twice(
    verb: str, known: KnownResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = commands(known, tmp_path)[verb]
    out = Path(command[-1])
    assert run(command) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"written: {out} (")
    assert said.out.endswith(" s)\n")
    assert said.out.count("\n") == 1
    assert said.err == ""
    before = read_files(out), out.stat().st_mtime_ns
    assert run(command) == 0
    assert f"already done: {out}" in capsys.readouterr().err
    assert (read_files(out), out.stat().st_mtime_ns) == before
    file = out / "zarr.json" if out.is_dir() else out
    file.write_bytes(b"somebody's")
    assert run(command) == 2
    assert "exists already" in capsys.readouterr().err
    assert file.read_bytes() == b"somebody's"
    assert run([*command, "--overwrite"]) == 0
    assert read_files(out) == before[0]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_another_setting_is_not_already_done(
    known: KnownResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = commands(known, tmp_path)["slide"]
    assert run(command) == 0
    assert run([*command, "--quality", "50"]) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["points", "geojson"])
def test_what_lies_off_the_slide_is_counted(
    verb: str, known: KnownResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = commands(known, tmp_path, x=5000)[verb]
    assert run(command) == 0
    word = {"points": "2 of 2 points", "geojson": "1 of 1 outlines"}[verb]
    assert f"warning: {command[3]}: {word} lie off the fixed slide" in capsys.readouterr().err


def test_a_png_holds_the_warped_pixels(known: KnownResult, tmp_path: Path) -> None:
    command = commands(known, tmp_path)["png"]
    assert run(command) == 0
    picture = np.asarray(PIL.Image.open(tmp_path / "o.png"))
    with stainbridge.load(known.folder).warp_slide() as warped:
        expected = np.moveaxis(np.asarray(warped.read(warped.frame).pixels), 0, -1)
    np.testing.assert_array_equal(picture, expected)
    with stainbridge.open_slide(tmp_path / "o.png") as slide:
        assert slide.frame.width == picture.shape[1]


@pytest.mark.parametrize("crop", ["fixed", "moving"])
def test_a_zarr_holds_the_warped_pixels_at_their_place(
    crop: Any, known: KnownResult, tmp_path: Path
) -> None:
    command = [*commands(known, tmp_path)["zarr"], "--crop", crop]
    assert run(command) == 0
    with (
        stainbridge.load(known.folder).warp_slide(crop=crop) as warped,
        stainbridge.open_slide(tmp_path / "o.ome.zarr") as written,
    ):
        np.testing.assert_array_equal(
            written.read(written.frame).pixels, warped.read(warped.frame).pixels
        )
        assert written.frame.mpp == pytest.approx(warped.frame.mpp)
        assert written.info.is_rgb == warped.info.is_rgb
        origin = warped.frame.origin_um
    node = json.loads((tmp_path / "o.ome.zarr" / "zarr.json").read_text())
    level = node["attributes"]["ome"]["multiscales"][0]["datasets"][0]
    _, place = level["coordinateTransformations"]
    assert place["translation"] == pytest.approx([0, origin[1], origin[0]])


def test_the_name_of_another_format_is_refused(
    known: KnownResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = commands(known, tmp_path)["zarr"]
    assert run([*command, "--format", "tiff"]) == 2
    assert "expected .tiff; got --format tiff" in capsys.readouterr().err
    assert run([*command, "--compression", "jpeg"]) == 2
    assert "use zstd, or write an .ome.tiff" in capsys.readouterr().err
    assert [path for path in tmp_path.iterdir() if "zarr" in path.name] == []


def test_other_formats_are_refused_in_one_line(
    known: KnownResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for ending in ("jpg", "zip", "jp2", "svs", "txt"):
        out = tmp_path / f"o.{ending}"
        assert run(["warp", "slide", str(known.folder), "--out", str(out)]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"error: {out}: .{ending} is not written; expected .ome.tiff")
        assert not out.exists()


@pytest.mark.parametrize(
    ("verb", "name", "expected"),
    [("points", "o.geojson", ".csv"), ("points", "o.tiff", ".csv"), ("geojson", "o.csv", ".geoj")],
)
def test_a_name_that_says_another_format_is_refused(
    verb: str,
    name: str,
    expected: str,
    known: KnownResult,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = [*commands(known, tmp_path)[verb][:-1], str(tmp_path / name)]
    assert run(command) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {tmp_path / name}: {Path(name).suffix} is not written")
    assert f"expected {expected}" in said
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["he.png", "result/registration.json"])
def test_a_file_is_no_folder_of_a_registration(
    name: str, known: KnownResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["warp", "slide", str(known.folder.parent / name), "--out", str(tmp_path / "o.tiff")]
    assert run(command) == 2
    assert "not a registration's folder; got a file; " in capsys.readouterr().err
