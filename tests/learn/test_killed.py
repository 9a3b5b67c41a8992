"""A training that is killed at any moment resumes, or begins again, to the same run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.killed import die, run_killed
from tests.learn.test_loop import rows
from tests.learn.toy import CONFIG, run

from stainbridge.learn.config import TrainConfig
from stainbridge.learn.weights import count_steps, read_weights
from stainbridge.partial import remove_abandoned

#: The toy's six steps take twelve batches and move about as many files to their places.
MOMENTS = tuple(range(12))
SAVING = replace(CONFIG, save_every_s=0.0)


def run_to_batch(folder: Path, moment: int, config: TrainConfig = SAVING) -> None:
    def hook(batches: int) -> float:
        if batches == moment:
            die()
        return 1.0

    folder.mkdir(exist_ok=True)
    run(folder, config, hook=hook)


def run_to_file(folder: Path, moment: int) -> None:
    moved: list[Path] = []
    replace_file = Path.replace

    def replace_or_die(path: Path, target: Path) -> Path:
        if len(moved) == moment:
            die()
        moved.append(path)
        return replace_file(path, target)

    folder.mkdir(exist_ok=True)
    Path.replace = replace_or_die  # type: ignore[method-assign,assignment]  # in the child alone
    run(folder, SAVING)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(folder, SAVING)
    return folder


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("run_to", [run_to_batch, run_to_file])
def test_a_killed_run_goes_on_to_the_same_weights_and_the_same_table(
    run_to: Callable[[Path, int], None], moment: int, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    assert run_killed(run_to, folder, moment)
    is_saved = (folder / "last.safetensors").exists()
    assert (folder / "best.safetensors").exists() <= is_saved
    remove_abandoned(folder, deep=True)
    run(folder, SAVING, resume=is_saved)
    for name in ("last.safetensors", "best.safetensors"):
        first, second = (read_weights(place / name) for place in (whole, folder))
        assert first.header == second.header
        assert all(torch.equal(first.tensors[key], second.tensors[key]) for key in first.tensors)
    assert rows(folder) == rows(whole)
    names = [
        sorted(path.name for path in (place / "pictures").iterdir()) for place in (whole, folder)
    ]
    assert names[0] == names[1]


def test_a_run_is_saved_before_its_first_step(tmp_path: Path) -> None:
    assert run_killed(run_to_batch, tmp_path, 0)
    assert count_steps(tmp_path / "last.safetensors") == 0
    assert not (tmp_path / "best.safetensors").exists()


@pytest.mark.parametrize("stop", [1, 2])
def test_nothing_is_best_before_a_validation(tmp_path: Path, stop: int) -> None:
    config = replace(CONFIG, steps=6, validate_every=3)
    assert run_killed(run_to_batch, tmp_path, 2 * stop, config)
    assert not (tmp_path / "best.safetensors").exists()


def test_checkpoints_come_by_time_where_steps_are_slow(tmp_path: Path) -> None:
    assert run_killed(run_to_batch, tmp_path / "run", 6)
    assert count_steps(tmp_path / "run" / "last.safetensors") == 3
    config = replace(CONFIG, save_every_s=3600.0)
    assert run_killed(run_to_batch, tmp_path / "slow", 6, config)
    assert count_steps(tmp_path / "slow" / "last.safetensors") == 0


def test_a_half_written_last_line_of_the_table_is_dropped(whole: Path, tmp_path: Path) -> None:
    run(tmp_path / "run", replace(SAVING, steps=3))
    with (tmp_path / "run" / "metrics.csv").open("a") as file:
        file.write("1")
    run(tmp_path / "run", SAVING, resume=True)
    assert rows(tmp_path / "run") == rows(whole)
