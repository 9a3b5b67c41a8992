from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import KnownResult

from stainbridge.cli.main import run
from stainbridge.geometry.landmarks import write_points_csv

POINTS = np.array([[10.0, 20], [100, 90], [50, 50], [120, 5]])


def landmark_files(known: KnownResult, tmp_path: Path, off_px: float = 0.0) -> list[str]:
    fixed, moving = tmp_path / "fixed.csv", tmp_path / "moving.csv"
    labels = tuple(map(str, range(len(POINTS))))
    write_points_csv(fixed, POINTS, labels)
    write_points_csv(moving, known.moving_from_fixed_px(POINTS) + (2 * off_px, 0), labels)
    return [
        "--fixed-landmarks",
        str(fixed),
        "--moving-landmarks",
        str(moving),
        "--result",
        str(known.folder),
    ]


def test_errors_are_those_of_the_fixed_slide(
    known: KnownResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", "landmarks", *landmark_files(known, tmp_path, off_px=3), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["n"] == 4
    assert scores["robustness"] == 1
    after = scores["after"]
    assert [after["tre_px"][name] for name in ("median", "mean", "p90", "max")] == pytest.approx(
        [3] * 4, abs=1e-3
    )
    assert after["rtre"]["median"] == pytest.approx(3 / np.hypot(140, 100), abs=1e-5)
    before = np.linalg.norm(known.moving_from_fixed_px(POINTS) + (6, 0) - POINTS, axis=1)
    assert scores["before"]["tre_px"]["max"] == pytest.approx(before.max(), abs=1e-3)


def test_the_table_has_before_and_after_and_no_micrometres_where_there_are_none(
    known: KnownResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", "landmarks", *landmark_files(known, tmp_path)]) == 0
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == ["median", "mean", "p90", "max"]
    assert ["after", "TRE", "px", "0.00", "0.00", "0.00", "0.00"] in rows
    assert "µm" not in out
    assert "4 landmarks, 100.0%" in out


def test_landmarks_must_correspond(
    known: KnownResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = landmark_files(known, tmp_path)
    write_points_csv(tmp_path / "moving.csv", POINTS[:3], ("0", "1", "2"))
    assert run(["evaluate", "landmarks", *arguments]) == 2
    assert "expected 4 as in" in capsys.readouterr().err


def write_table(path: Path, names: list[str], points: np.ndarray, header: str) -> Path:
    rows = [
        f"{i},{name},{x:.6f},{y:.6f}"
        for i, (name, (x, y)) in enumerate(zip(names, points, strict=True))
    ]
    path.write_text("\n".join([header, *rows]))
    return path


@pytest.mark.parametrize("column", ["id", "Landmark", "name", "Object ID"])
def test_landmarks_in_another_order_are_paired_by_id(
    column: str, known: KnownResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = f",{column},X,Y"
    names = ["gland", "duct", "vessel", "rim"]
    order = [2, 0, 3, 1]
    fixed = write_table(tmp_path / "f.csv", names, POINTS, header)
    at = known.moving_from_fixed_px(POINTS)[order]
    moving = write_table(tmp_path / "m.csv", [names[i] for i in order], at, header)
    arguments = ["--fixed-landmarks", str(fixed), "--moving-landmarks", str(moving)]
    arguments += ["--result", str(known.folder)]
    assert run(["evaluate", "landmarks", *arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["after"]["tre_px"]["max"] < 1e-3
    write_table(tmp_path / "m.csv", [*names[:3], "other"], at, header)
    assert run(["evaluate", "landmarks", *arguments]) == 2
    assert "have different ids" in capsys.readouterr().err
