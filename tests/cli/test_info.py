from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from stainbridge.cli.main import run


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "he.png"
    PIL.Image.fromarray(np.full((40, 60, 3), 200, np.uint8)).save(path)
    return path


def test_the_table_names_size_reader_and_pixel_size(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["info", str(picture)]) == 0
    out = capsys.readouterr().out
    assert "60 x 40 px" in out
    assert "unknown (lengths are in pixels)" in out
    assert "R, G, B" in out


def test_json_is_one_object_and_nothing_else(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["info", str(picture), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["width"], facts["height"], facts["calibrated"]) == (60, 40, False)
    assert facts["mpp"] == [1.0, 1.0]
    assert facts["levels"] == [{"width": 60, "height": 40, "mpp": [1.0, 1.0], "downsample": 1.0}]
    assert facts["path"] == str(picture)


def test_a_doubtful_pixel_size_is_a_warning_beside_the_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "doubtful.tif"
    pixels = np.zeros((512, 512, 3), np.uint8)
    tifffile.imwrite(
        path,
        pixels,
        photometric="rgb",
        tile=(256, 256),
        resolution=(10, 10),
        resolutionunit="CENTIMETER",
    )
    assert run(["info", str(path), "--json"]) == 0
    output = capsys.readouterr()
    facts = json.loads(output.out)
    assert not facts["calibrated"]
    assert facts["warnings"]
    assert output.err.startswith(f"warning: {path}: pixel size 1000 µm")


def bad_file(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / f"{kind}.tif"
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("this is no picture")
    elif kind == "truncated":
        tifffile.imwrite(
            path,
            np.random.default_rng(0).integers(0, 255, (512, 512, 3), np.uint8),
            photometric="rgb",
        )
        path.write_bytes(path.read_bytes()[:5])
    elif kind == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "truncated", "folder"])
def test_a_bad_file_is_one_line_that_names_it(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = bad_file(tmp_path, kind)
    assert run(["info", str(path), "--json"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"error: {path}: ")
    assert output.err.count("\n") == 1
