from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from tests.evaluate.slices.slices import write_slices

from stainbridge.cli.main import run


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three slices in the working folder."""
    monkeypatch.chdir(tmp_path)
    return write_slices(tmp_path / "slices").relative_to(tmp_path)


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_methods_are_compared_before_and_after(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", "slices", "--data", str(data), "--methods", "affine", "--out", "scores"]
    assert run(words) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "slices"
    assert printed[1].split()[:7] == ["method", "cases", "none", "Dice", "1", "Dice", "2"]
    given, affine = (line.split() for line in printed[2:4])
    assert given[:3] == ["as", "given", "3"]
    assert (affine[0], float(affine[2]) > 0.95 > float(given[3])) == ("affine", True)
    rows = read_table(Path("scores/rows.csv"))
    assert [row["case"] for row in rows] == ["slice_000", "slice_001", "slice_002"]
    assert all(float(row["dice 1 after"]) > float(row["dice 1 before"]) for row in rows)
    assert {row["score"] for row in read_table(Path("scores/summary.csv"))} >= {"hd95 mask"}
    assert Path("scores/grid-slices.png").is_file()
    before = Path("scores/rows.csv").read_bytes()
    assert run(words) == 0
    assert Path("scores/rows.csv").read_bytes() == before


def test_json_is_one_object_and_nothing_is_written_unasked(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = sorted(Path().rglob("*"))
    assert run(["evaluate", "slices", "--data", str(data), "--methods", "identity", "--json"]) == 0
    output = json.loads(capsys.readouterr().out)
    assert (output["out"], output["rows"]) == (None, 3)
    (summary,) = output["summaries"]
    assert (summary["method"], summary["cases"], summary["failed"]) == ("identity", 3, 0)
    assert summary["scores"]["dice 1"]["before"] == summary["scores"]["dice 1"]["mean"]
    assert sorted(Path().rglob("*")) == files


def test_a_part_of_a_split_and_every_so_many(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("split.csv").write_text("name,part\nslice_000,train\nslice_001,test\nslice_002,test\n")
    words = ["evaluate", "slices", "--data", str(data), "--methods", "identity", "--json"]
    counts = []
    for more in (["--split", "split.csv"], ["--split", "split.csv", "--every", "2"]):
        assert run([*words, *more]) == 0
        counts.append(json.loads(capsys.readouterr().out)["rows"])
    assert counts == [2, 1]
    assert run([*words, "--split", "split.csv", "--part", "train"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 1


def test_pairs_of_a_table_are_data_too(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"{data}/{kind}/slice_000.png" for kind in ("mri", "histo_affine")]
    labels = [f"{data}/{kind}_labels/slice_000.png" for kind in ("mri", "histo_affine")]
    head = "case,fixed,moving,fixed_labels,moving_labels"
    Path("pairs.csv").write_text(f"{head}\none,{','.join([*names, *labels])}\n")
    assert (
        run(["evaluate", "slices", "--data", "pairs.csv", "--methods", "identity", "--json"]) == 0
    )
    scores = json.loads(capsys.readouterr().out)["summaries"][0]["scores"]
    assert {"dice 1", "dice 2", "dice mask"} <= set(scores)


def test_failures_are_said_and_counted(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise RuntimeError("no overlap")

    monkeypatch.setattr("stainbridge.evaluate.slices.unregistered.align_unregistered", refuse)
    assert run(["evaluate", "slices", "--data", str(data), "--methods", "identity", "--json"]) == 0
    output = capsys.readouterr()
    said = "identity failed on 3 cases; slices/slice_000: RuntimeError: no overlap"
    assert said in output.err
    assert json.loads(output.out)["summaries"][0]["failed"] == 3


REFUSED = {
    "--data nowhere --methods identity": "nowhere: no such data set",
    "--data slices --methods sift": "sift: no such method; expected identity, affine",
    "--data slices --methods ,": "no names",
    "--data slices --methods identity --split none.csv": "none.csv: no such split file",
    "--data slices --data slices": "two data sets have the same name",
    "--data slices --methods identity --every 0": "--every",
    "--data slices --methods identity --out slices/mri": "other things in it",
}


@pytest.mark.parametrize("words", REFUSED)
def test_bad_input_is_one_line(words: str, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = sorted(data.parent.rglob("*"))
    assert run(["evaluate", "slices", *words.split()]) == 2
    error = capsys.readouterr().err
    assert REFUSED[words] in error
    assert error.count("\n") == 1
    assert sorted(data.parent.rglob("*")) == files


@pytest.mark.parametrize("shape", [(72, 96), (20, 96)])
def test_spoilt_labels_are_one_line_before_any_work(
    shape: tuple[int, int], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Labels that are empty, or of another shape."""
    PIL.Image.fromarray(np.zeros(shape, np.uint8)).save(data / "mri_labels" / "slice_001.png")
    words = ["evaluate", "slices", "--data", str(data), "--methods", "identity", "--out", "scores"]
    assert run(words) == 2
    error = capsys.readouterr().err
    assert "slice_001" in error
    assert error.count("\n") == 1
    assert not Path("scores").exists()
