"""Tasks run on workers, each once, and what is finished is not repeated."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.cohort.tasks import BadTask, CountedTask, PlainTask

from stainbridge.cohort.folder import CohortFolder
from stainbridge.cohort.options import Limits, RunSettings
from stainbridge.cohort.outcome import CohortOutcome
from stainbridge.cohort.progress import ignore_progress
from stainbridge.cohort.run import run_row, run_tasks
from stainbridge.cohort.task import Task
from stainbridge.errors import InputError
from stainbridge.progress import ignore_note

SETTINGS = RunSettings(limits=Limits(time_s=30, attempts=1), workers=2)


def run(
    tasks: Sequence[Task],
    out: Path,
    settings: RunSettings = SETTINGS,
    notes: list[str] | None = None,
) -> CohortOutcome:
    note = ignore_note if notes is None else notes.append
    return run_tasks(tasks, CohortFolder(out), settings, ignore_progress, note)


def counted(tmp_path: Path, *ids: str) -> list[CountedTask]:
    return [CountedTask(name, log=str(tmp_path / "log")) for name in ids]


def read_log(tmp_path: Path) -> list[str]:
    return sorted((tmp_path / "log").read_text().split())


def read_bytes(out: Path) -> dict[str, bytes]:
    """Return every file of a cohort that holds no duration."""
    return {
        name: path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
        and not (name := path.relative_to(out).as_posix()).startswith(
            ("times/", "timings.csv", "status.json")
        )
    }


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> CohortOutcome:
    """Four tasks of which two fail, in the folder `cohort`."""
    tasks = [PlainTask("a"), BadTask("b", "refuse"), BadTask("c", "kill"), PlainTask("d", "cell")]
    return run(tasks, tmp_path_factory.mktemp("mixed") / "cohort")


def test_a_poisoned_task_stops_no_other(mixed: CohortOutcome) -> None:
    assert mixed.succeeded == 2
    assert [item.id for item in mixed.list_failed()] == ["b", "c"]
    assert dict(mixed.progress.failures) == {"input": 1, "killed": 1}


def test_the_table_has_a_row_a_case_in_order(mixed: CohortOutcome) -> None:
    with (mixed.folder / "cohort.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["case"] for row in rows] == ["a", "b", "c", "d"]
    assert [row["status"] for row in rows] == ["ok", "failed", "failed", "ok"]
    assert [row["predicted_rtre"] for row in rows] == ["0.006", "", "", "0.004"]
    assert rows[1]["reason"] == "a.svs: cut short; copy it again"
    timings = (mixed.folder / "timings.csv").read_text().splitlines()
    assert len(timings) == 5


def test_the_status_says_how_far_it_is(mixed: CohortOutcome) -> None:
    status = json.loads((mixed.folder / "status.json").read_text())
    assert (status["state"], status["total"], status["done"]) == ("finished", 4, 4)
    assert status["failures"] == {"input": 1, "killed": 1}


def test_nothing_hidden_is_left(mixed: CohortOutcome) -> None:
    assert not list(mixed.folder.rglob(".*"))


def test_what_is_finished_is_not_repeated(tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    run(counted(tmp_path, "a", "b"), out)
    notes: list[str] = []
    again = run(counted(tmp_path, "a", "b"), out, notes=notes)
    assert again.is_already_done
    assert again.succeeded == 2
    assert notes == [f"already done: {out}"]
    more = run(counted(tmp_path, "a", "b", "c"), out)
    assert more.progress.earlier == 2
    assert read_log(tmp_path) == ["a", "b", "c"]


def test_an_interrupted_task_is_run_again_to_the_same_bytes(tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    tasks = counted(tmp_path, "a", "b")
    run(tasks, out)
    whole = read_bytes(out)
    half = CohortFolder(out).begin("b", "key", "0000000a")  # as a killed run leaves it
    (half / "half.txt").write_text("half")
    run(tasks, out)
    assert read_bytes(out) == whole
    assert read_log(tmp_path) == ["a", "b", "b"]


def test_other_settings_are_refused_before_work(tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    run([PlainTask("a"), PlainTask("b")], out)
    before = read_bytes(out)
    changed = [PlainTask("a", "other"), PlainTask("b")]
    with pytest.raises(InputError, match=r"other slides, settings or another version.*got a;"):
        run(changed, out)
    assert read_bytes(out) == before
    again = run(changed, out, RunSettings(workers=1, overwrite=True))
    assert again.progress.earlier == 1
    assert (out / "cases" / "a" / "words.txt").read_text() == "other"


def test_failures_are_kept_unless_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    tasks = [BadTask("a", "divide"), BadTask("b", "refuse")]
    run(tasks, out)
    assert run(tasks, out).is_already_done
    settings = RunSettings(limits=SETTINGS.limits, workers=1, retry_failed=True)
    again = run(tasks, out, settings)
    assert again.progress.earlier == 1  # the file that cannot be used is the same
    assert not again.is_already_done


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(InputError, match="not empty"):
        run([PlainTask("a")], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_empty_folders_that_were_made_in_advance_are_taken(tmp_path: Path) -> None:
    (tmp_path / "markers").mkdir()
    assert run([PlainTask("a")], tmp_path).succeeded == 1


def test_tasks_that_need_others_run_after_them(tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    tasks = [CountedTask("z", needs=("a", "b"), log=log), *counted(tmp_path, "a", "b")]
    run(tasks, tmp_path / "cohort")
    assert (tmp_path / "log").read_text().split()[-1] == "z"


def test_rows_run_one_by_one_and_are_gathered(tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    tasks = [*counted(tmp_path, "a", "b"), BadTask("c", "refuse")]
    folder = CohortFolder(out)
    for task in tasks:
        run_row(task, folder, SETTINGS, ignore_note)
    assert run_row(tasks[0], folder, SETTINGS, ignore_note).status == "ok"
    run(tasks, tmp_path / "other")
    gathered = run(tasks, out)
    assert gathered.succeeded == 2
    assert read_log(tmp_path) == ["a", "a", "b", "b"]
    assert read_bytes(out) == read_bytes(tmp_path / "other")


def test_a_row_that_needs_another_waits(tmp_path: Path) -> None:
    task = PlainTask("z", needs=("a",))
    with pytest.raises(InputError, match="needs a, which is not finished"):
        run_row(task, CohortFolder(tmp_path / "cohort"), SETTINGS, ignore_note)
    assert not (tmp_path / "cohort").exists()
