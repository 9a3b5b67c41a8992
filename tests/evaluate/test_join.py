"""Folders of benchmarks become one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stainbridge.datasets.layouts import read_data_set
from stainbridge.errors import InputError
from stainbridge.evaluate.benchmark import BenchmarkPlan, run_benchmark
from stainbridge.evaluate.join import join
from stainbridge.evaluate.ledger import RUNS, SETUP, read_rows
from stainbridge.evaluate.row import Row
from stainbridge.evaluate.summary import summarise


@pytest.fixture(scope="module")
def plan(pairs_csv: Path) -> BenchmarkPlan:
    return BenchmarkPlan({"generated": read_data_set(pairs_csv).cases}, ("identity",))


@pytest.fixture(scope="module")
def apart(plan: BenchmarkPlan, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of each of two methods."""
    folders = tmp_path_factory.mktemp("a") / "one", tmp_path_factory.mktemp("b") / "two"
    for folder, method in zip(folders, ("identity", "orb"), strict=True):
        run_benchmark(replace(plan, methods=(method,)), folder)
    return folders


def test_methods_run_apart_stand_in_one_table(
    plan: BenchmarkPlan, apart: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    rows = join(apart, out)
    assert rows == [row for folder in apart for row in read_rows(folder)]
    assert read_rows(out) == rows
    assert [item.rank is not None for item in summarise(rows)] == [True, True]
    pictures = {path.name for folder in apart for path in (folder / "pictures").iterdir()}
    assert {path.name for path in (out / "pictures").iterdir()} == pictures
    lines = (out / RUNS).read_text()
    assert (
        run_benchmark(replace(plan, methods=("orb", "identity")), out) == rows[::-1]
    )  # nothing is left to run
    assert (out / RUNS).read_text() == lines


def test_a_run_in_several_folders_is_taken_from_the_first(
    apart: tuple[Path, Path], tmp_path: Path
) -> None:
    (row,) = read_rows(apart[0])
    again = tmp_path / "again"
    again.mkdir()
    (again / SETUP).write_bytes((apart[0] / SETUP).read_bytes())
    (again / RUNS).write_text(json.dumps(replace(row, seconds=99.0).to_dict()) + "\n")
    assert join([apart[0], again], tmp_path / "out") == [row]
    assert [item.seconds for item in join([again, apart[0]], tmp_path / "other")] == [99.0]
    assert join([again], tmp_path / "out") == [row]  # what is there already stands


def test_folders_that_do_not_compare_are_refused_and_nothing_is_written(
    apart: tuple[Path, Path], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    setup = json.loads((apart[1] / SETUP).read_text())
    (other / SETUP).write_text(json.dumps({**setup, "seed": 7}))
    with pytest.raises(InputError, match=r"other: seed has changed .* expected 0; got 7"):
        join([apart[0], other], tmp_path / "out")
    with pytest.raises(InputError, match="no benchmark folder"):
        join([apart[0], tmp_path], tmp_path / "out")
    with pytest.raises(InputError, match="no folders"):
        join([], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_rows_come_back_as_they_were_written(apart: tuple[Path, Path]) -> None:
    (row,) = read_rows(apart[0])
    assert Row.from_dict(json.loads(json.dumps(row.to_dict()))) == row
