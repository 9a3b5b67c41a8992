"""`stainbridge pairs`: what it prints, and how it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.jobs.test_pair_set import slides

from stainbridge.cli.main import run

__all__ = ["slides"]  # a fixture

OPTIONS = ["--patch", "64", "--max-residual", "64", "--max-blur", "64", "--workers", "1"]


def single(slides: Path, out: Path) -> list[str]:
    pair = ["--fixed", str(slides / "a_fixed.png"), "--moving", str(slides / "a_moving.png")]
    return ["pairs", *pair, "--transform", str(slides / "a.h5"), "--out", str(out), *OPTIONS]


def test_a_single_pair_is_summed_up(
    slides: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "set"
    assert run(single(slides, out)) == 0
    lines = capsys.readouterr().out.splitlines()
    kept = len(list((out / "HE" / "train").iterdir()))
    assert lines[0] == "slide pairs: 1 of 1 used"
    assert lines[1].startswith(f"patches: {kept} kept of ")
    assert lines[-1] == f"written: {out}"
    assert any("patches/s" in line for line in lines)
    assert run([*single(slides, out), "--json", "--resume"]) == 0
    output = capsys.readouterr()
    assert output.err == f"already done: {out}\n"
    result = json.loads(output.out)
    assert result["already_done"]
    assert result["kept"] == kept
    assert result["splits"] == {"train": kept}
    assert result["patches"] == kept + sum(result["dropped"].values())


def test_what_is_dropped_is_counted_and_nothing_left_is_3(
    slides: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "set"
    assert run([*single(slides, out), "--min-tissue", "1", "--max-residual", "0.001"]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert "patches: 0 kept" in lines[1]
    assert lines[2].startswith("dropped: ")
    assert "for min_tissue" in lines[2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pairs", "--out", "set"], "give MANIFEST.csv, or --fixed and --moving"),
        (["pairs", "slides.csv", "--out", "set", "--label", "2+"], "--label"),
        (["pairs", "slides.csv", "--fixed", "a_fixed.png", "--out", "set"], "exclude"),
        (["pairs", "slides.csv", "--out", "set", "--patch", "8"], "--patch out of range"),
        (["pairs", "slides.csv", "--out", "set", "--blend", "none"], "engine elastix"),
        (["pairs", "slides.csv", "--out", "set", "--shards", "0"], "shard"),
        (["pairs", "slides.csv", "--out", "set", "--test-share", "0.5"], "splits already"),
        (["pairs", "lost.csv", "--out", "set"], "no such file"),
        (["pairs", "slides.csv", "--out", "a_fixed.png"], "would replace"),
    ],
)
def test_bad_input_is_one_line_and_nothing_written(
    slides: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(slides)
    before = sorted(slides.iterdir())
    assert run(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert sorted(slides.iterdir()) == before
