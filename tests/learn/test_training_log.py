"""metrics.csv over stops and new columns."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest

from stainbridge.errors import MissingExtraError
from stainbridge.learn.config import TrainConfig
from stainbridge.learn.devices import launch_fabric
from stainbridge.learn.training_log import METRICS_FILE, TrainingLog


def table(folder: Path) -> list[list[str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.reader(file))


def test_a_new_number_is_a_new_column(tmp_path: Path) -> None:
    with TrainingLog(tmp_path, 0) as log:
        log.add_row(1, {"loss": 0.5})
        log.add_row(2, {"loss": 0.25, "validation_loss": 3})
        log.add_row(3, {"loss": 0.125})
    assert table(tmp_path) == [
        ["step", "loss", "validation_loss"],
        ["1", "0.5", ""],
        ["2", "0.25", "3"],
        ["3", "0.125", ""],
    ]


def test_rows_past_the_step_that_is_resumed_are_dropped(tmp_path: Path) -> None:
    with TrainingLog(tmp_path, 0) as log:
        for step in (10, 20, 30):
            log.add_row(step, {"loss": step})
    with TrainingLog(tmp_path, 20) as log:
        log.add_row(25, {"loss": 1})
    assert [row[0] for row in table(tmp_path)] == ["step", "10", "20", "25"]


@pytest.mark.parametrize("package", ["tensorboard", "lightning-fabric"])
def test_a_missing_package_names_its_extra(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with pytest.raises(
        MissingExtraError, match=rf"needs the package '{package}'; install it with: .*\[train\]"
    ):
        launch_fabric(TrainConfig(device="cpu")) if package == "lightning-fabric" else TrainingLog(
            tmp_path, 0
        )


def test_columns_of_version_0_1_0_get_todays_names(tmp_path: Path) -> None:
    (tmp_path / METRICS_FILE).write_text("step,loss,held_rtre\n0,,0.5\n10,0.3,\n")
    with TrainingLog(tmp_path, 10) as log:
        log.add_row(20, {"loss": 0.2, "validation_rtre": 0.25})
    assert table(tmp_path) == [
        ["step", "loss", "validation_rtre"],
        ["0", "", "0.5"],
        ["10", "0.3", ""],
        ["20", "0.2", "0.25"],
    ]
