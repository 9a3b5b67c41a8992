"""Results and markers appear whole, and only those of whoever began a task last."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stainbridge.cohort.folder import CohortFolder
from stainbridge.cohort.task import Finished, Times
from stainbridge.errors import InputError

TIMES = Times(1.5, 1.2, 100.0, 1, "node1")
DONE = Finished("a", "key", "ok", "", "", {"predicted_rtre": 0.01}, ("a note",))


@pytest.fixture
def folder(tmp_path: Path) -> CohortFolder:
    folder = CohortFolder(tmp_path)
    folder.make()
    return folder


def begin(folder: CohortFolder, token: str, task: str = "a") -> Path:
    partial = folder.begin(task, "key", token)
    (partial / "result.txt").write_text(token)
    return partial


def test_a_task_that_runs_is_not_finished(folder: CohortFolder) -> None:
    begin(folder, "00000001")
    assert json.loads(folder.marker("a").read_text())["status"] == "running"
    assert folder.read_finished("a") is None
    assert not folder.case("a").exists()


def test_a_published_task_is_read_back(folder: CohortFolder) -> None:
    partial = begin(folder, "00000001")
    assert folder.publish(DONE, TIMES, "00000001")
    assert folder.read_finished("a") == DONE
    assert folder.read_times("a") == TIMES
    assert (folder.case("a") / "result.txt").read_text() == "00000001"
    assert not partial.exists()


def test_an_attempt_that_was_overtaken_publishes_nothing(folder: CohortFolder) -> None:
    begin(folder, "00000001")
    begin(folder, "00000002")
    assert folder.publish(DONE, TIMES, "00000002")
    assert not folder.publish(replace(DONE, key="old"), TIMES, "00000001")
    assert folder.read_finished("a") == DONE
    assert (folder.case("a") / "result.txt").read_text() == "00000002"


def test_a_result_replaces_the_one_before(folder: CohortFolder) -> None:
    for token in ("00000001", "00000002"):
        begin(folder, token)
        assert folder.publish(DONE, TIMES, token)
    assert (folder.case("a") / "result.txt").read_text() == "00000002"


def test_beginning_removes_what_interrupted_attempts_left(folder: CohortFolder) -> None:
    old = begin(folder, "00000001")
    other = begin(folder, "00000001", "a.b")
    begin(folder, "00000002")
    assert not old.exists()
    assert other.exists()
    folder.remove_all_partial()
    assert not list((folder.path / "cases").iterdir())


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": "a", "status": "ok"}'])
def test_a_damaged_marker_is_of_no_finished_task(folder: CohortFolder, text: str) -> None:
    folder.marker("a").write_text(text)
    assert folder.read_finished("a") is None


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write there"):
        CohortFolder(tmp_path / "file").make()
