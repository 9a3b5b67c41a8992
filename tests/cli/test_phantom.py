"""`stainbridge phantom`: a data set with its tables, or one line and nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stainbridge.cli.main import run
from stainbridge.datasets.layouts import read_data_set
from stainbridge.datasets.pairs import read
from stainbridge.jobs.phantom import PhantomJob
from stainbridge.phantom.slices.slice_files import SLICE_FOLDERS

SMALL = ["--size", "128", "--mpp", "16", "--seed", "3"]


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("phantoms") / "set"
    assert (
        run(["phantom", "--out", str(out), "--cases", "2", "--stains", "he,ki67,masson", *SMALL])
        == 0
    )
    return out


def test_the_table_is_read_as_a_data_set(data_set: Path) -> None:
    cases = read(data_set / "pairs.csv")
    assert [case.id for case in cases] == ["case_000", "case_001"]
    header = (data_set / "pairs.csv").read_text().splitlines()[0]
    assert header == "case,fixed,moving,fixed_landmarks,moving_landmarks"
    assert all(case.landmarks is not None for case in cases)


def test_every_file_in_the_record_exists(data_set: Path) -> None:
    records = json.loads((data_set / "cases.json").read_text())
    files = [
        value
        for row in records
        for value in row.values()
        if isinstance(value, str) and "/" in value
    ]
    assert len(files) == 2 * 9
    assert all((data_set / name).is_file() for name in files)


def test_the_same_command_gives_the_same_slides(data_set: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    assert (
        run(["phantom", "--out", str(again), "--cases", "1", "--stains", "he,ki67,masson", *SMALL])
        == 0
    )
    ours, theirs = (
        next(iter((folder / "images").glob("case_000_fixed*"))) for folder in (data_set, again)
    )
    assert ours.name == theirs.name
    assert ours.read_bytes() == theirs.read_bytes()


def test_a_data_set_is_replaced_only_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["phantom", "--out", str(tmp_path), "--cases", "1", *SMALL]
    assert run(command) == 0
    assert run(command) == 2
    assert "--overwrite" in capsys.readouterr().err
    mine = tmp_path / "notes.txt"
    mine.write_text("mine")
    before = set((tmp_path / "images").iterdir())
    assert run([*command, "--overwrite", "--stains", "pas"]) == 0
    assert mine.is_file()
    assert set((tmp_path / "images").iterdir()).isdisjoint(before)


def test_slices_are_a_stack_of_two_stains(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "stack"
    command = ["phantom", "--out", str(out), "--slices", "2", "--stains", "masson,he", *SMALL]
    assert run([*command, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in said["slices"]] == ["slice_000", "slice_001"]
    assert {path.name for path in out.iterdir()} == {"slices.json", *SLICE_FOLDERS}
    cases = read_data_set(out).cases
    for case in cases:
        with case.open_fixed() as fixed:
            assert (fixed.frame.width, fixed.frame.mpp) == (128, pytest.approx((16.0, 16.0)))
    assert json.loads((out / "slices.json").read_text())["config"]["fixed_stain"] == "masson"
    assert run(command) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_interrupted_slices_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stainbridge.phantom.slices.slice_files.write_points_csv", interrupted)
    assert run(["phantom", "--out", str(tmp_path / "stack"), "--slices", "1", *SMALL]) == 130
    assert not (tmp_path / "stack").exists()


def test_json_is_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["phantom", "--out", str(tmp_path / "set"), "--cases", "1", "--json", *SMALL]) == 0
    said = json.loads(capsys.readouterr().out)
    assert Path(said["pairs"]).is_file()
    assert said["cases"][0]["difficulty"] == "real"


def test_an_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stainbridge.phantom.pairs.case_files.write_transform", interrupted)
    assert run(["phantom", "--out", str(tmp_path / "set"), "--cases", "1", *SMALL]) == 130
    assert not (tmp_path / "set").exists()


def test_slides_of_pieces_are_a_data_set_too(tmp_path: Path) -> None:
    out = tmp_path / "set"
    given = ["--cases", "1", "--size", "128", "--mpp", "16", "--difficulty", "cores"]
    assert run(["phantom", "--out", str(out), *given]) == 0
    (case,) = json.loads((out / "cases.json").read_text(encoding="utf-8"))
    assert case["difficulty"] == "cores"
    assert case["partners"]
    fixed = (out / case["fixed_landmarks"]).read_text(encoding="utf-8")
    assert all(f"{name}: 1," in fixed for name in case["partners"])


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["--stains", "giemsa"], "HER2"),
        (["--stains", ","], "no stains"),
        (["--difficulty", "absurd"], "easy, real, hard"),
        (["--difficulty", "fragments", "--mpp", "0.1"], "too small for pieces"),
        (["--organ", "spleen"], "kidney"),
        (["--mpp", "0.1"], "too small for tissue"),
        (["--mpp", "0"], "got 0.0"),
        (["--cases", "0"], "--cases"),
        (["--slices", "0"], "--slices"),
        (["--slices", "2", "--cases", "2"], "exclude each other"),
        (["--slices", "2", "--stains", "he"], "two stains"),
        (["--slices", "2", "--stains", "he,giemsa"], "HER2"),
        (["--slices", "2", "--difficulty", "absurd"], "easy, real, hard"),
    ],
)
def test_impossible_wishes_are_refused_in_one_line(
    wrong: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["phantom", "--out", str(tmp_path / "set"), *SMALL, *wrong]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert says in error
    assert not (tmp_path / "set").exists()


def test_pairs_have_two_stains_and_often_start_from_routine_stain() -> None:
    configs = PhantomJob(
        out=Path("unused"), cases=40, size_px=512, stains="he,ki67,cd31,pas"
    ).pair_configs()
    assert all(config.fixed_stain != config.moving_stain for config in configs)
    assert 15 < sum(config.fixed_stain == "he" for config in configs) < 35
    assert {config.seed for config in configs} == set(range(40))
