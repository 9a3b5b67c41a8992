"""A case becomes a registration, a picture, carried annotations and measured landmarks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.tissue import Tissue

from stainbridge.cohort.case import CohortCase
from stainbridge.cohort.options import CaseOptions
from stainbridge.cohort.register_task import RegisterTask
from stainbridge.cohort.task import TaskResult
from stainbridge.errors import InputError
from stainbridge.geometry.geojson import read_geojson

OPTIONS = CaseOptions(preset="fast")


def make_task(tissue: Tissue, **values: object) -> RegisterTask:
    case = CohortCase(id="a", fixed=tissue.fixed, moving=tissue.moving)
    return RegisterTask(replace(case, **values), OPTIONS)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def result(
    tissue: Tissue, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TaskResult, Path, RegisterTask]:
    folder = tmp_path_factory.mktemp("case")
    task = make_task(
        tissue,
        fixed_landmarks=tissue.fixed_landmarks,
        moving_landmarks=tissue.moving_landmarks,
        fixed_annotations=tissue.fixed.with_suffix(".geojson"),
        moving_annotations=tissue.moving.with_suffix(".geojson"),
    )
    return task.run(folder), folder, task


def test_the_folder_holds_everything(result: tuple[TaskResult, Path, RegisterTask]) -> None:
    found, folder, _ = result
    assert found.status == "ok"
    assert {path.name for path in folder.iterdir()} == {
        "registration.json",
        "transform.h5",
        "report.html",
        "overlay.jpg",
        "fixed-on-moving.geojson",
        "moving-on-fixed.geojson",
    }
    carried = read_geojson(folder / "moving-on-fixed.geojson")
    assert len(carried["features"]) == 3  # type: ignore[call-overload]


def test_landmarks_are_measured(result: tuple[TaskResult, Path, RegisterTask]) -> None:
    facts = result[0].facts
    assert 0 < facts["landmarks_rtre"] < 0.01
    assert facts["landmarks_rtre"] <= facts["landmarks_max_rtre"]
    assert facts["flip"] is True
    assert 0 < facts["predicted_rtre"] < 0.02


def test_the_same_case_gives_the_same_bytes(
    result: tuple[TaskResult, Path, RegisterTask], tmp_path: Path
) -> None:
    found, folder, task = result
    assert task.run(tmp_path) == found
    for path in folder.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_slide_that_cannot_be_read_is_refused(tissue: Tissue, tmp_path: Path) -> None:
    cut = tmp_path / "cut.svs"
    cut.write_bytes(tissue.moving.read_bytes()[:100])
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match=r"cut\.svs"):
        make_task(tissue, moving=cut).run(tmp_path / "out")


def test_the_key_follows_content_settings_and_names(tissue: Tissue, tmp_path: Path) -> None:
    task = make_task(tissue)
    key = task.make_key()
    assert make_task(tissue).make_key() == key
    assert make_task(tissue, fixed_mpp=0.5).make_key() != key
    assert replace(task, options=replace(OPTIONS, seed=7)).make_key() != key
    copy = tmp_path / "he.svs"
    copy.write_bytes(tissue.fixed.read_bytes())
    first = make_task(tissue, fixed=copy).make_key()
    copy.write_bytes(tissue.fixed.read_bytes() + b"more")
    assert make_task(tissue, fixed=copy).make_key() != first
