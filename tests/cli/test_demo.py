from __future__ import annotations

import json
import re
import webbrowser
from pathlib import Path

import pytest

import stainbridge
from stainbridge.cli.main import run
from stainbridge.jobs.view import make_session


def test_the_demo_makes_every_output_and_meets_the_truth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda address: pytest.fail("a browser was opened"))
    monkeypatch.setattr("stainbridge.jobs.demo_stain.DETAIL_PX", 96)
    monkeypatch.setattr("stainbridge.jobs.demo_stain.TILE_PX", 160)
    out = tmp_path / "demo"
    assert run(["demo", "--out", str(out), "--size", "600"]) == 0
    said = capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {
        "fixed-he.ome.tiff",
        "moving-ki67.ome.tiff",
        "registration.json",
        "transform.h5",
        "warped.ome.tiff",
        "report.html",
        "moving.geojson",
        "moving-on-fixed.geojson",
        "demo.jpg",
        "virtual-stain.jpg",
    }
    before, after = (float(number) for number in re.findall(r"median rTRE ([0-9.]+)", said))
    assert after < 0.01 < before
    assert said.splitlines()[-1].endswith(f"stainbridge view {out}")
    record = json.loads((out / "registration.json").read_text())
    assert record["moving"]["path"] == str(out / "moving-ki67.ome.tiff")
    assert len(json.loads((out / "moving-on-fixed.geojson").read_text())["features"]) >= 3
    with (
        stainbridge.open_slide(out / "warped.ome.tiff") as warped,
        stainbridge.open_slide(out / "fixed-he.ome.tiff") as fixed,
    ):
        assert warped.frame.size_um == pytest.approx(fixed.frame.size_um, rel=1e-3)
    # The third command of the README opens what the second one made.
    with make_session((out,)) as session, session.borrow(session.states[0].id) as case:
        assert [(layer.id, layer.is_aligned) for layer in case.layers] == [
            ("fixed", True),
            ("moving", True),
        ]


def test_the_demo_does_not_replace_a_folder_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.docx").write_text("precious")
    assert run(["demo", "--out", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err
