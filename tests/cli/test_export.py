"""`stainbridge export` from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import KnownResult
from tests.cli.test_translate import weights
from tests.cli.test_warp import error_of

from stainbridge.cli.main import run
from stainbridge.translation.inference import onnx_file
from stainbridge.translation.inference.model import Model
from stainbridge.translation.inference.slide_statistics import normalises_tiles


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Model]:
    """The models that were to be written; the slow writer itself has tests of its own."""
    found: list[Model] = []
    monkeypatch.setattr(onnx_file, "write_onnx", lambda model, path: found.append(model) or 1e-6)
    return found


def test_a_model_as_it_is_and_reversed(
    written: list[Model], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = weights(tmp_path / "model.safetensors")
    assert run(["export", "onnx", "--model", str(path), "--out", str(tmp_path / "m.onnx")]) == 0
    output = capsys.readouterr()
    assert "differs from the original by at most 1e-06" in output.out
    assert "--statistics SLIDE" in output.err
    assert (
        run(
            ["export", "onnx", "--model", str(path), "--out", str(tmp_path / "m.onnx"), "--reverse"]
        )
        == 0
    )
    assert [(model.source, model.target) for model in written] == [("HE", "Ki67"), ("Ki67", "HE")]


def test_a_slide_s_statistics_are_kept(written: list[Model], workplace: Path) -> None:
    path = weights(workplace / "model.safetensors", mpp=None)
    assert (
        run(["export", "onnx", "--model", str(path), "--out", "m.onnx", "--statistics", "he.svs"])
        == 0
    )
    assert not normalises_tiles(written[0].generator)


def test_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = weights(tmp_path / "model.safetensors")
    line = error_of(["export", "onnx", "--model", path, "--out", tmp_path / "a" / "m.onnx"], capsys)
    assert "no such folder" in line
    line = error_of(["export", "onnx", "--model", path, "--out", path], capsys)
    assert "would replace the input" in line
    line = error_of(
        ["export", "onnx", "--model", tmp_path / "none", "--out", tmp_path / "m.onnx"], capsys
    )
    assert "no weights there" in line


def test_an_affine_map_for_explorer(
    known: KnownResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "matrix.csv"
    words = ["export", "affine", str(known.folder), "--out", str(out)]
    assert run(words) == 0
    assert "at most 0.0 px" in capsys.readouterr().out
    matrix = np.loadtxt(out, delimiter=",")
    points = np.array([[10.0, 20.0], [70.0, 5.0]])
    moving = known.moving_from_fixed_px(points)
    assert np.allclose(np.column_stack([moving, np.ones(2)]) @ matrix.T[:, :2], points)
    assert run(words) == 0
    assert "already done" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["spatialdata", "ome-ngff"])
def test_an_affine_map_as_json(known: KnownResult, tmp_path: Path, name: str) -> None:
    out = tmp_path / "affine.json"
    assert run(["export", "affine", str(known.folder), "--out", str(out), "--format", name]) == 0
    assert '"affine"' in out.read_text()


def test_an_affine_map_in_a_file_of_another_kind(
    known: KnownResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", "affine", known.folder, "--out"]
    assert "expected .csv or .json" in error_of([*words, tmp_path / "a.txt"], capsys)
    line = error_of([*words, tmp_path / "a.csv", "--format", "ome-ngff"], capsys)
    assert "expected .json" in line
    assert "registration.json" in error_of([*words, known.folder / "registration.json"], capsys)
