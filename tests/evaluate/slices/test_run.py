"""Runs are kept row by row, resumed, and refused under other settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from tests.evaluate.slices.slices import make_case

from stainbridge.errors import InputError
from stainbridge.evaluate.methods.alignment import Alignment, fail
from stainbridge.evaluate.slices.ledger import ROWS, SETUP
from stainbridge.evaluate.slices.method import LoadedMethod, SliceMethod
from stainbridge.evaluate.slices.row import SliceRow, read_rows
from stainbridge.evaluate.slices.run import STRIPS, SlicePlan, run_slices
from stainbridge.geometry.placement import place_unregistered
from stainbridge.geometry.transform import Affine, Projective
from stainbridge.registration.sections.density import Masks
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide


@dataclass
class Recorder:
    """A method that counts its runs, and ends as told."""

    name: str = "own"
    ending: Callable[[Slide, Slide], Alignment] | None = None
    runs: list[str] = field(default_factory=list)
    settings: dict[str, object] = field(default_factory=lambda: {"bins": 20})

    @property
    def method(self) -> SliceMethod:
        return SliceMethod(
            self.name, "counts", lambda: LoadedMethod(self.align), lambda: self.settings
        )

    def align(self, fixed: Slide, moving: Slide, masks: Masks) -> Alignment:
        assert masks[0] is not None
        self.runs.append(moving.info.path)
        if self.ending is not None:
            return self.ending(fixed, moving)
        return Alignment(place_unregistered(fixed.frame.space, moving.frame.space))


def plan_of(*methods: Recorder, cases: int = 3) -> SlicePlan:
    return SlicePlan(
        {"set": [make_case(f"case {number}", seed=number) for number in range(cases)]},
        [recorder.method for recorder in methods],
    )


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    first = Recorder()
    rows = run_slices(plan_of(first, cases=2), tmp_path / "out")
    assert [row.key for row in rows] == [("set", "case 0", "own"), ("set", "case 1", "own")]
    assert len(first.runs) == 2
    second = Recorder("other")
    more = run_slices(plan_of(first, second), tmp_path / "out")
    # case 1 is the middle of two and of three cases, so its pictures are there
    assert len(first.runs) == 3
    assert len(second.runs) == 3
    assert [row.key for row in more[:2]] == [("set", "case 0", "own"), ("set", "case 0", "other")]
    assert {row.key for row in read_rows(tmp_path / "out" / ROWS)} == {row.key for row in more}


def test_a_case_whose_pictures_are_missing_is_run_again(tmp_path: Path) -> None:
    recorder = Recorder()
    run_slices(plan_of(recorder), tmp_path)
    (strip,) = (tmp_path / STRIPS).iterdir()
    strip.unlink()
    run_slices(plan_of(recorder), tmp_path)
    assert len(recorder.runs) == 4
    assert strip.is_file()


def test_an_interruption_keeps_whole_rows(tmp_path: Path) -> None:
    recorder = Recorder()

    def stop_at_the_third(fixed: Slide, moving: Slide) -> Alignment:
        if len(recorder.runs) == 3:
            raise KeyboardInterrupt
        return Alignment(place_unregistered(fixed.frame.space, moving.frame.space))

    recorder.ending = stop_at_the_third
    with pytest.raises(KeyboardInterrupt):
        run_slices(plan_of(recorder), tmp_path)
    assert len(read_rows(tmp_path / ROWS)) == 2
    assert not list(tmp_path.rglob("*partial*"))
    recorder.ending = None
    run_slices(plan_of(recorder), tmp_path)
    assert len(recorder.runs) == 4


def test_nothing_is_kept_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(run_slices(plan_of(Recorder()), None)) == 3
    assert not list(tmp_path.iterdir())


def crash(fixed: Slide, moving: Slide) -> Alignment:
    raise RuntimeError(f"first line of {fixed.info.path} {moving.info.path}\nno overlap")


def tear(fixed: Slide, moving: Slide) -> Alignment:
    """A homography that takes a landmark to infinity."""
    matrix = np.eye(3)
    matrix[2, 0] = 1 / 34
    return Alignment(Projective(matrix, fixed.frame.space, moving.frame.space))


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (crash, "RuntimeError: no overlap"),
        (lambda fixed, moving: fail("gave up"), "gave up"),
        (tear, "the transform takes landmarks to nowhere"),
    ],
)
def test_a_failure_is_a_row_that_counts_as_before(
    ending: Callable[[Slide, Slide], Alignment], reason: str, tmp_path: Path
) -> None:
    rows = run_slices(plan_of(Recorder(ending=ending), cases=1), tmp_path)
    (row,) = rows
    assert (row.status, row.reason, row.folded) == ("failed", reason, None)
    assert row.scores["dice 1"].after is None
    assert row.scores["dice 1"].counted == row.scores["dice 1"].before > 0.5
    assert read_rows(tmp_path / ROWS)[0].status == "failed"
    assert list(tmp_path.glob("grid-*.png"))


def test_the_grid_keeps_methods_of_earlier_runs(tmp_path: Path) -> None:
    first, second = Recorder(), Recorder()
    run_slices(plan_of(first, cases=1), tmp_path)
    (grid,) = tmp_path.glob("grid-*.png")
    with PIL.Image.open(grid) as picture:
        height = picture.height
    other = replace(second.method, name="other")
    run_slices(SlicePlan(plan_of(second, cases=1).data_sets, [other]), tmp_path)
    with PIL.Image.open(grid) as picture:
        assert picture.height > 1.5 * height


def test_a_doubtful_result_counts_as_itself() -> None:
    def doubt(fixed: Slide, moving: Slide) -> Alignment:
        matrix = np.eye(3)
        matrix[:2, 2] = (4, 3)
        found = Affine(matrix, fixed.frame.space, moving.frame.space)
        return Alignment(found, "fallback", "little contrast")

    (row,) = run_slices(plan_of(Recorder(ending=doubt), cases=1), None)
    assert (row.status, row.reason) == ("fallback", "little contrast")
    assert row.scores["dice 1"].counted == pytest.approx(1)
    assert row.unit == "px"


def change_settings(plan: SlicePlan) -> SlicePlan:
    return SlicePlan(plan.data_sets, [Recorder(settings={"bins": 32}).method])


def change_labels(plan: SlicePlan) -> SlicePlan:
    cases = [
        replace(case, open_fixed_labels=case.open_moving_labels) for case in plan.data_sets["set"]
    ]
    return SlicePlan({"set": cases}, plan.methods)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (change_settings, "'bins' of the method 'own' has changed.*expected 20; got 32"),
        (change_labels, "the case 'set/case 0' has changed"),
    ],
)
def test_other_settings_are_refused(
    change: Callable[[SlicePlan], SlicePlan], said: str, tmp_path: Path
) -> None:
    plan = plan_of(Recorder())
    run_slices(plan, tmp_path)
    before = (tmp_path / ROWS).read_bytes(), (tmp_path / SETUP).read_bytes()
    with pytest.raises(InputError, match=said):
        run_slices(change(plan), tmp_path)
    assert ((tmp_path / ROWS).read_bytes(), (tmp_path / SETUP).read_bytes()) == before


def test_another_version_and_another_folder_are_refused(tmp_path: Path) -> None:
    run_slices(plan_of(Recorder()), tmp_path / "out")
    setup = json.loads((tmp_path / "out" / SETUP).read_text())
    (tmp_path / "out" / SETUP).write_text(json.dumps({**setup, "version": "0.0.1"}))
    with pytest.raises(InputError, match="the version has changed"):
        run_slices(plan_of(Recorder()), tmp_path / "out")
    (tmp_path / "out" / SETUP).write_text("{}")
    with pytest.raises(InputError, match="not the setup of evaluate slices"):
        run_slices(plan_of(Recorder()), tmp_path / "out")
    with pytest.raises(InputError, match="the folder has other things in it"):
        run_slices(plan_of(Recorder()), tmp_path)


def test_all_cases_are_read_before_any_is_registered(tmp_path: Path) -> None:
    recorder = Recorder()
    plan = plan_of(recorder)
    empty = partial(ArraySlide, np.zeros((1, 72, 96), np.uint8), None, "last labels")
    cases = [*plan.data_sets["set"][:2], replace(make_case("last"), open_fixed_labels=empty)]
    with pytest.raises(InputError, match="last labels: the mask is empty"):
        run_slices(SlicePlan({"set": cases}, plan.methods), tmp_path / "out")
    assert not recorder.runs
    assert not (tmp_path / "out").exists()


def test_progress_reaches_the_end() -> None:
    fractions: list[float] = []

    def note_fraction(stage: str, fraction: float) -> None:
        fractions.append(fraction)

    rows: list[SliceRow] = run_slices(plan_of(Recorder()), None, note_fraction)
    assert len(rows) == 3
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
