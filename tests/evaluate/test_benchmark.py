"""Runs in processes of their own: rows, resume, time limit, crashes, interruption."""

from __future__ import annotations

import csv
import json
import os
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tests.abandoned import leave_partial

from stainbridge.datasets.layouts import read_data_set
from stainbridge.errors import InputError
from stainbridge.evaluate.benchmark import BenchmarkPlan, reverse_case, run_benchmark
from stainbridge.evaluate.ledger import RUNS, SETUP, read_rows
from stainbridge.evaluate.row import Row
from stainbridge.evaluate.runner import output_paths
from stainbridge.evaluate.tables import write_submissions
from stainbridge.partial import FILES
from stainbridge.registration.config import PRESETS

METHODS = ("identity", "orb")


@pytest.fixture(scope="module")
def plan(pairs_csv: Path) -> BenchmarkPlan:
    return BenchmarkPlan(
        {"generated": read_data_set(pairs_csv).cases},
        METHODS,
        ("given", "hard"),
        hard_starts=1,
        workers=2,
    )


@pytest.fixture(scope="module")
def done(plan: BenchmarkPlan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the finished benchmark of `plan`."""
    out = tmp_path_factory.mktemp("bench") / "out"
    run_benchmark(plan, out)
    return out


@pytest.fixture
def finished(done: Path, tmp_path: Path) -> Path:
    """A copy of it, to spoil."""
    for name in (RUNS, SETUP):
        (tmp_path / name).write_bytes((done / name).read_bytes())
    return tmp_path


def peer(path: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a shell script stand for the Python of ANTs' environment.

    Asked whether ANTs can be used, it says so.
    """
    path.write_text(f'#!/bin/sh\nif [ "$2" = --check ]; then exit 0; fi\n{script}\n')
    path.chmod(0o755)
    monkeypatch.setenv("STAINBRIDGE_ANTS_PYTHON", str(path))


def runs(pid: str) -> bool:
    """Whether a process is there and has not ended."""
    status = Path(f"/proc/{pid}/status")
    return status.is_file() and "State:\tZ" not in status.read_text()


def test_every_method_runs_on_every_case_with_landmarks_from_every_start(
    plan: BenchmarkPlan, done: Path
) -> None:
    rows = read_rows(done)
    assert {row.key for row in rows} == {
        ("generated", "one", start, method) for start in ("given", "hard-00") for method in METHODS
    }
    case = plan.data_sets["generated"][0]
    assert case.landmarks is not None
    initial = np.linalg.norm(case.landmarks[0] - case.landmarks[1], axis=1) / np.hypot(320, 320)
    for row in rows:
        assert row.status in ("ok", "failed")
        assert row.before is not None
        assert row.wall_s is not None
        assert row.seconds is not None
        assert row.wall_s > row.seconds
        assert 20 < (row.peak_mb or 0) < 2000
        assert row.cpu_s is not None
        assert 0 <= row.cpu_s < 100
        if row.start == "given":
            assert row.before.median == pytest.approx(np.median(initial), rel=1e-6)
            assert row.landmarks == len(initial)
        if row.method == "identity":
            assert row.after == row.before
            assert row.robustness == 0
            if row.start == "given":  # pixel on pixel
                assert row.moving_tre_px == pytest.approx(row.tre_px)
    assert not list(done.glob(".*"))
    assert len(list((done / "pictures").glob("*.before.jpg"))) == 2
    assert (done / "pictures" / "generated__one__given__identity.after.jpg").is_file()


def test_what_is_done_is_not_done_again(plan: BenchmarkPlan, finished: Path) -> None:
    lines = (finished / RUNS).read_text().splitlines(keepends=True)
    half = lines[-1][: len(lines[-1]) // 2]  # the machine stopped while it wrote
    (finished / RUNS).write_text("".join(lines[:-1]) + half)
    rows = run_benchmark(plan, finished)
    now = (finished / RUNS).read_text().splitlines(keepends=True)
    assert now[:-1] == lines[:-1]
    assert Row.from_dict(json.loads(now[-1])).key == Row.from_dict(json.loads(lines[-1])).key
    assert len(rows) == 4


def test_new_rows_are_reported_as_they_end(plan: BenchmarkPlan, tmp_path: Path) -> None:
    reported: list[Row] = []
    quick = replace(plan, methods=("identity",), kinds=("given",))
    assert run_benchmark(quick, tmp_path / "out", on_row=reported.append) == reported
    run_benchmark(quick, tmp_path / "out", on_row=reported.append)
    assert len(reported) == 1


def test_methods_may_be_added_and_left_out(plan: BenchmarkPlan, finished: Path) -> None:
    before = (finished / RUNS).read_text()
    assert [row.method for row in run_benchmark(replace(plan, methods=("orb",)), finished)] == [
        "orb",
        "orb",
    ]
    assert (finished / RUNS).read_text() == before
    setup = json.loads((finished / SETUP).read_text())
    assert list(setup["methods"]) == list(METHODS)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 5}, "seed has changed"),
        ({"hard_starts": 2}, "hard_starts has changed"),
        ({"timeout_s": 9}, "timeout_s"),
    ],
)
def test_another_setup_is_refused(
    plan: BenchmarkPlan, finished: Path, change: dict[str, int], said: str
) -> None:
    before = (finished / RUNS).read_text()
    with pytest.raises(InputError, match=said):
        run_benchmark(replace(plan, **change), finished)
    assert (finished / RUNS).read_text() == before


def test_changed_settings_are_named(plan: BenchmarkPlan, finished: Path) -> None:
    setup = json.loads((finished / SETUP).read_text())
    setup["methods"]["fast"] = {**PRESETS["fast"].to_dict(), "working_px": 77}
    (finished / SETUP).write_text(json.dumps(setup))
    with pytest.raises(
        InputError,
        match=r"'fast' has changed .* expected \{'working_px': 77\}; got \{'working_px': \d+\}",
    ):
        run_benchmark(replace(plan, methods=("fast",)), finished)


def test_other_landmarks_are_refused(plan: BenchmarkPlan, finished: Path) -> None:
    case = plan.data_sets["generated"][0]
    assert case.landmarks is not None
    moved = replace(case, landmarks=(case.landmarks[0] + 1, case.landmarks[1]))
    with pytest.raises(InputError, match="landmarks of 'generated/one' has changed"):
        run_benchmark(replace(plan, data_sets={"generated": [moved]}), finished)


def test_a_folder_with_other_things_is_refused(plan: BenchmarkPlan, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match="other things"):
        run_benchmark(plan, tmp_path)
    (tmp_path / SETUP).write_text("{}")
    with pytest.raises(InputError, match="not the setup of a benchmark"):
        run_benchmark(plan, tmp_path)


def test_a_damaged_row_is_named(plan: BenchmarkPlan, finished: Path) -> None:
    (finished / RUNS).write_text('{"case": 1}\n')
    with pytest.raises(InputError, match="line 1: not a row of a benchmark"):
        run_benchmark(plan, finished)


def test_no_landmarks_no_benchmark(plan: BenchmarkPlan, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no case has landmarks"):
        run_benchmark(
            replace(plan, data_sets={"generated": plan.data_sets["generated"][1:]}), tmp_path
        )


def test_a_method_that_takes_too_long_is_ended_with_all_it_started(
    plan: BenchmarkPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer(
        tmp_path / "python",
        f"echo $$ > {tmp_path}/pid; sleep 60 & echo $! >> {tmp_path}/pid; wait",
        monkeypatch,
    )
    (row,) = run_benchmark(
        replace(plan, methods=("ants",), kinds=("given",), timeout_s=1.5), tmp_path / "out"
    )
    assert (row.status, row.after) == ("timeout", None)
    assert row.before is not None  # counts as unregistered
    assert row.seconds == 1.5
    pids = (tmp_path / "pid").read_text().split()
    assert len(pids) == 2
    for pid in pids:
        assert not runs(pid)


def test_a_process_that_dies_is_a_row_too(
    plan: BenchmarkPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer(tmp_path / "python", f"echo $$ > {tmp_path}/pid; kill -9 $PPID; sleep 60", monkeypatch)
    (row,) = run_benchmark(replace(plan, methods=("ants",), kinds=("given",)), tmp_path / "out")
    assert not runs((tmp_path / "pid").read_text().strip())  # nor does what it had started
    assert row.status == "crashed"
    assert "SIGKILL" in row.reason
    assert row.before is not None


def test_what_a_killed_benchmark_left_is_not_taken_for_a_result(
    plan: BenchmarkPlan, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither files of a run in progress, nor those of a run whose row was deleted."""
    peer(tmp_path / "python", "exit 4", monkeypatch)
    out = tmp_path / "out"
    left = leave_partial(out) / FILES / "generated__one__given__ants"
    left.mkdir(parents=True)
    (left / "warped.csv").write_text(",X,Y\n0,1,2\n")
    (out / SETUP).write_bytes((done / SETUP).read_bytes())
    row = Row("generated", "one", "given", "ants", "ok")
    earlier = [out / path for path in output_paths(row).values()]
    for path in earlier:
        path.parent.mkdir(exist_ok=True)
        path.write_text("earlier")
    (row,) = run_benchmark(replace(plan, methods=("ants",), kinds=("given",)), out)
    assert row.status == "failed"
    assert [path.read_bytes()[:7] == b"earlier" for path in earlier if path.exists()] == [
        False
    ]  # before.jpg
    assert not list(out.glob(".*"))


def test_cases_may_be_added_to_a_data_set(plan: BenchmarkPlan, finished: Path) -> None:
    before = read_rows(finished)
    rows = run_benchmark(
        replace(plan, methods=("identity",), kinds=("given",), both_directions=True), finished
    )
    assert [row.case for row in rows] == ["one", "one reversed"]
    assert read_rows(finished)[: len(before)] == before


def test_slides_are_named_from_their_data_set(
    plan: BenchmarkPlan, pairs_csv: Path, tmp_path: Path
) -> None:
    rows = run_benchmark(
        replace(plan, methods=("identity",), roots={"generated": pairs_csv.parent}),
        tmp_path / "out",
    )
    assert [(row.fixed, row.moving) for row in rows[:1]] == [("a.png", "b.png")]
    assert rows[1].fixed == "a.png"
    assert rows[1].moving.startswith("hard-00: ")


def test_what_a_peer_lacks_is_told_before_anything_runs(
    plan: BenchmarkPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAINBRIDGE_ANTS_PYTHON", sys.executable)
    with pytest.raises(
        InputError, match=r"ants cannot be used; got ModuleNotFoundError: .*'ants'.*antspyx"
    ):
        run_benchmark(replace(plan, methods=("identity", "ants")), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_users_own_method_is_measured_like_others(
    plan: BenchmarkPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
from stainbridge.geometry.placement import place_unregistered

def corners(fixed, moving):
    return place_unregistered(fixed.frame.space, moving.frame.space)

def nothing(fixed, moving):
    return None
"""
    (tmp_path / "laboratory.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    own = replace(
        plan, methods=("identity", "laboratory:corners", "laboratory:nothing"), kinds=("given",)
    )
    identity, corners, nothing = run_benchmark(own, tmp_path / "out")
    assert corners.after == identity.after
    assert (nothing.status, nothing.reason) == ("failed", "the method gave up")
    with pytest.raises(InputError, match="no such function"):
        run_benchmark(replace(own, methods=("laboratory:magic",)), tmp_path / "other")
    (tmp_path / "unfinished.py").write_text("def half(:")
    for name in ("nowhere_at_all:magic", "unfinished:half"):
        with pytest.raises(InputError, match="cannot import"):
            run_benchmark(replace(own, methods=(name,)), tmp_path / "other")
    with pytest.raises(InputError, match="no such function"):
        run_benchmark(replace(own, methods=("sys:exit",)), tmp_path / "other")


def test_a_submission_names_cases_as_the_cover_table_does(pairs_csv: Path, tmp_path: Path) -> None:
    """ANHIR's evaluation looks them up by these four names."""
    for name in ("a", "b"):
        for kind, ending in (("images", "png"), ("landmarks", "csv")):
            place = tmp_path / kind / "x" / f"{name}.{ending}"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes((pairs_csv.parent / f"{name}.{ending}").read_bytes())
    columns = ("Source image", "Source landmarks", "Target image", "Target landmarks", "status")
    named = ("./x/b.png", "x/b.csv", "x/a.png", "x/a.csv", "evaluation")
    (tmp_path / "cover.csv").write_text(f",{','.join(columns)}\n5,{','.join(named)}\n")
    cases = read_data_set(tmp_path / "cover.csv").cases
    rows = run_benchmark(
        BenchmarkPlan({"anhir": cases}, ("identity",), roots={"anhir": tmp_path}), tmp_path / "out"
    )
    write_submissions(tmp_path / "out", rows)
    with (
        tmp_path / "out" / "anhir" / "anhir" / "identity" / "registration-results.csv"
    ).open() as file:
        (line,) = csv.DictReader(file)
    assert tuple(line[name] for name in columns) == named
    assert (
        tmp_path / "out" / "anhir" / "anhir" / "identity" / line["Warped source landmarks"]
    ).is_file()
    assert reverse_case(cases[0]).cover == ()


def test_a_peer_that_gives_up_is_failed(
    plan: BenchmarkPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer(tmp_path / "python", "echo no such luck >&2; exit 4", monkeypatch)
    (row,) = run_benchmark(replace(plan, methods=("ants",), kinds=("given",)), tmp_path / "out")
    assert (row.status, row.reason) == ("failed", "ants ended with 4: no such luck")


def test_a_slide_that_cannot_be_read_is_a_row_without_scores(
    plan: BenchmarkPlan, tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    case = plan.data_sets["generated"][0]
    broken = type(case).from_files(
        "broken", tmp_path / "broken.png", tmp_path / "broken.png", case.landmarks
    )
    (row,) = run_benchmark(BenchmarkPlan({"set": [broken]}, ("identity",)), tmp_path / "out")
    assert (row.status, row.before, row.errors) == ("unreadable", None, None)
    assert "broken.png" in row.reason


def test_a_process_that_cannot_start_is_our_bug_and_no_row(
    plan: BenchmarkPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pickle.py").write_text("raise ImportError('broken installation')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="broken installation"):
        run_benchmark(replace(plan, kinds=("given",)), tmp_path / "out")
    assert read_rows(tmp_path / "out") == []
    assert not list((tmp_path / "out").glob(".*"))


def test_a_map_to_nowhere_is_failed(plan: BenchmarkPlan, tmp_path: Path) -> None:
    case = plan.data_sets["generated"][0]
    assert case.landmarks is not None
    marks = (case.landmarks[0], np.full_like(case.landmarks[1], np.inf))
    (row,) = run_benchmark(
        BenchmarkPlan({"set": [replace(case, landmarks=marks)]}, ("identity",)), tmp_path / "out"
    )
    assert (row.status, row.after) == ("failed", None)
    assert "nowhere" in row.reason


@pytest.mark.skipif(find_spec("itk") is None, reason="needs the extra peers")
def test_elastix_brings_landmarks_closer(plan: BenchmarkPlan, tmp_path: Path) -> None:
    (row,) = run_benchmark(replace(plan, methods=("elastix",), kinds=("given",)), tmp_path)
    assert row.status == "ok", row.reason
    assert row.robustness > 0.7


def test_an_interruption_keeps_rows_and_leaves_nothing_else(
    plan: BenchmarkPlan, tmp_path: Path
) -> None:
    rounds = 0

    def interrupt(told: str, share: float) -> None:
        nonlocal rounds
        rounds += 1
        if share >= 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_benchmark(replace(plan, kinds=("given",), workers=1), tmp_path / "out", interrupt)
    assert len(read_rows(tmp_path / "out")) == 1
    assert not list((tmp_path / "out").glob(".*"))
    assert len(run_benchmark(replace(plan, kinds=("given",)), tmp_path / "out")) == 2


def test_the_other_way_round(plan: BenchmarkPlan) -> None:
    case = plan.data_sets["generated"][0]
    other = reverse_case(case)
    assert other.id == "one reversed"
    assert case.landmarks is not None
    assert other.landmarks is not None
    np.testing.assert_array_equal(other.landmarks[0], case.landmarks[1])
    with case.open_fixed() as fixed, other.open_moving() as moving:
        assert fixed.info.path == moving.info.path


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="Linux tells which cores a process may use"
)
def test_runs_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    from stainbridge.evaluate.runner import _environment

    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert _environment(3)["OMP_NUM_THREADS"] == "2"
    monkeypatch.setenv("OMP_NUM_THREADS", "5")  # the caller's own word stands
    assert _environment(3)["OMP_NUM_THREADS"] == "5"
