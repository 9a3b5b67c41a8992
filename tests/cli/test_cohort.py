"""`stainbridge cohort`: what it prints, and how it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stainbridge.cli.main import run


@pytest.fixture
def manifest(workplace: Path) -> str:
    """Two cases in the folder of the test: one good, one that cannot be read."""
    (workplace / "cut.svs").write_bytes((workplace / "ki67.svs").read_bytes()[:100])
    text = "case,fixed,moving\ngood,he.svs,ki67.svs\ncut,he.svs,cut.svs\n"
    (workplace / "slides.csv").write_text(text)
    return "slides.csv"


def test_a_cohort_is_summed_up(manifest: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["cohort", manifest, "--out", "out", "--preset", "fast", "--no-report"]
    assert run([*command, "--workers", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "cases: 2; ok 1, fallback 0, failed 1"
    assert lines[1].startswith("failed: cut: ")
    assert "cut.svs" in lines[1]
    assert lines[-1] == "written: out"
    assert run([*command, "--json", "--resume"]) == 0
    output = capsys.readouterr()
    assert output.err == "already done: out\n"
    result = json.loads(output.out)
    assert (result["ok"], result["failed"], result["already_done"]) == (1, 1, True)
    assert result["failures"][0]["failure"] == "input"


def test_no_result_at_all_is_3(workplace: Path, manifest: str) -> None:
    (workplace / manifest).write_text("case,fixed,moving\ncut,he.svs,cut.svs\n")
    command = ["cohort", manifest, "--out", "out", "--preset", "fast", "--workers", "1"]
    assert run(command) == 3
    assert run(command) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["slides.csv"], "--out"),
        (["lost.csv", "--out", "out"], "lost.csv: no such file"),
        (["slides.csv", "--out", "he.svs"], "would replace"),
        (["slides.csv", "--out", "out", "--scheduler", "node1"], "such as tcp://"),
        (["slides.csv", "--out", "out", "--time-limit", "0"], "--time-limit out of range"),
        (["slides.csv", "--out", "out", "--preset", "fast", "--pipeline", "a.yaml"], "exclude"),
        (["slides.csv", "--out", "out", "--scheduler", "tcp://127.0.0.1:9"], "does not answer"),
    ],
)
def test_bad_input_is_one_line_and_nothing_written(
    words: list[str],
    message: str,
    manifest: str,
    workplace: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stainbridge.cohort.running.cluster.CONNECT_S", 1)
    before = sorted(workplace.rglob("*"))
    assert run(["cohort", *words]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert message in output.err
    assert sorted(workplace.rglob("*")) == before


def test_rows_are_planned_run_one_by_one_and_gathered(
    manifest: str, capsys: pytest.CaptureFixture[str], workplace: Path
) -> None:
    command = ["cohort", manifest, "--out", "out", "--preset", "fast", "--no-report"]
    assert run([*command, "--dry-run"]) == 0
    assert capsys.readouterr().out == "cases to run: 2\n"
    assert run([*command, "--plan"]) == 0
    planned = capsys.readouterr().out.splitlines()
    assert planned[1] == f"stainbridge {' '.join(command)} --row 2"
    assert not (workplace / "out").exists()
    assert run(planned[1].split()[1:]) == 3
    assert "cut: failed: " in capsys.readouterr().out
    assert run([*planned[0].split()[1:], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "ok"
    assert run([*command, "--plan", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"rows": []}
    assert run([*command, "--row", "3"]) == 2
    assert "no such row; expected 1 to 2; got 3" in capsys.readouterr().err
    assert run(command) == 0
    assert capsys.readouterr().out.startswith("cases: 2; ok 1")
    assert (workplace / "out" / "cohort.html").is_file()


def test_a_manifest_is_made_from_a_folder(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "slides").mkdir()
    for name in ("a_he.svs", "a_er.svs", "b_er.svs"):
        (workplace / "slides" / name).touch()
    command = ["cohort", "init", "slides", "--pattern", "{case}_{stain}.svs", "--out", "made.csv"]
    assert run(command) == 0
    output = capsys.readouterr()
    assert output.out == "1 rows: made.csv\n"
    assert output.err == "left out, without he or another stain: b\n"
