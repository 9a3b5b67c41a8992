from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.evaluate.conftest import pairs_csv

from stainbridge.cli.main import run

__all__ = ["pairs_csv"]

LANDMARKS = ["benchmark", "landmarks"]


def test_a_benchmark_leaves_tables_a_submission_and_a_page(
    pairs_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = [*LANDMARKS, str(pairs_csv), "--methods", "identity,orb", "--out", str(out)]
    assert run([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["runs"] == 2
    identity = told["summaries"][0]
    assert (identity["method"], identity["kind"], identity["scores"]["cases"]) == (
        "identity",
        "given",
        1,
    )
    assert identity["success"] == 0
    assert {path.name for path in out.iterdir()} >= {
        "results.csv",
        "benchmark.html",
        "anhir",
        "runs.jsonl",
    }
    warped = list((out / "anhir").rglob("landmarks/*.csv"))
    assert any("identity" in path.parts for path in warped)
    assert run(arguments) == 0  # nothing is run again, the table comes from what is there
    table = capsys.readouterr().out
    assert "MMrTRE" in table
    assert "identity" in table
    assert str(out / "benchmark.html") in table


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--methods", "magic"], "no such method"),
        (["--methods", ","], "no names"),
        (["--starts", "easy"], "expected given or hard; got easy"),
        (["--methods", "ants"], "STAINBRIDGE_ANTS_PYTHON"),
        (["--n-starts", "0"], "--n-starts"),
    ],
)
def test_a_wrong_option_is_one_line_and_nothing_is_written(
    options: list[str],
    said: str,
    pairs_csv: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("STAINBRIDGE_ANTS_PYTHON", raising=False)
    assert run([*LANDMARKS, str(pairs_csv), "--out", str(tmp_path / "out"), *options]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert said in output.err
    assert not (tmp_path / "out").exists()


def test_two_data_sets_of_one_name_are_refused(
    pairs_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*LANDMARKS, str(pairs_csv), str(pairs_csv), "--out", str(tmp_path / "out")]) == 2
    assert "two data sets have the same name" in capsys.readouterr().err


def test_what_is_no_data_set_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    assert run([*LANDMARKS, str(tmp_path / "table.csv"), "--out", str(tmp_path / "out")]) == 2
    assert "got the columns a, b" in capsys.readouterr().err


@pytest.mark.slow
def test_folders_are_joined_into_one_table_and_page(
    pairs_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for method in ("identity", "orb"):
        assert (
            run([*LANDMARKS, str(pairs_csv), "--methods", method, "--out", str(tmp_path / method)])
            == 0
        )
    capsys.readouterr()
    folders = [str(tmp_path / method) for method in ("identity", "orb")]
    assert run(["benchmark", "join", *folders, "--out", str(tmp_path / "all"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(item["method"], item["rank"] is not None) for item in told["summaries"]] == [
        ("identity", True),
        ("orb", True),
    ]
    page = (tmp_path / "all" / "benchmark.html").read_text()
    assert " ".join(["stainbridge benchmark join", *folders]) in page
    assert page.count("data:image/jpeg;base64,") >= 2
    assert len(list((tmp_path / "all" / "anhir").rglob("registration-results.csv"))) == 2
    assert run(["benchmark", "join", str(tmp_path), "--out", str(tmp_path / "none")]) == 2
    assert "no benchmark folder" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
