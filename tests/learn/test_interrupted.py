"""Ctrl-C breaks off what takes long beside the steps; the resumed run is that never stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from tests.learn.test_loop import rows
from tests.learn.toy import CONFIG, ToyStream, ToyTask, run
from torch import Tensor

from stainbridge.learn.interrupt import BrokenOffError, Interrupts, catch_interrupts
from stainbridge.learn.loop import TrainingData, train
from stainbridge.learn.weights import read_weights
from stainbridge.processes import ENDING_SIGNALS

VALIDATED = replace(CONFIG, validation_samples=64)


@dataclass
class Interrupted:
    """Counts uses; at the `moment`th Ctrl-C comes, which should end it there."""

    moment: int
    uses: int = 0

    def use(self) -> None:
        self.uses += 1
        if self.uses == self.moment:
            os.kill(os.getpid(), signal.SIGINT)
            raise AssertionError("the work went on")


@dataclass(frozen=True)
class InterruptedStream(ToyStream):
    interrupted: Interrupted = field(default_factory=lambda: Interrupted(0))

    def __getitem__(self, number: int) -> Tensor:
        self.interrupted.use()
        return super().__getitem__(number)


class InterruptedTask(ToyTask):
    def __init__(self, interrupted: Interrupted) -> None:
        super().__init__()
        self.interrupted = interrupted

    def measure(self, batch: Tensor) -> Mapping[str, float]:
        self.interrupted.use()
        return super().measure(batch)


def assert_resumes_to_the_whole_run(folder: Path, whole: Path) -> None:
    run(folder, VALIDATED, resume=True)
    run(whole, VALIDATED)
    for name in ("last.safetensors", "best.safetensors"):
        first, second = (read_weights(place / name) for place in (whole, folder))
        assert first.header == second.header
        assert all(torch.equal(first.tensors[key], second.tensors[key]) for key in first.tensors)
    assert rows(folder) == rows(whole)


@pytest.mark.parametrize("moment", [1, 2, 33, 64])
def test_no_sample_to_validate_on_is_made_after_ctrl_c(moment: int, tmp_path: Path) -> None:
    interrupted = Interrupted(moment)
    data = TrainingData(ToyStream(0), InterruptedStream(1, interrupted=interrupted))
    with pytest.raises(KeyboardInterrupt):
        train(ToyTask, data, VALIDATED, tmp_path)
    assert interrupted.uses == moment
    assert not (tmp_path / "last.safetensors").exists()


@pytest.mark.parametrize("moment", [1, 2, 10, 11])
def test_no_sample_to_train_on_is_made_after_ctrl_c(moment: int, tmp_path: Path) -> None:
    interrupted = Interrupted(moment)
    data = TrainingData(InterruptedStream(0, interrupted=interrupted), ToyStream(1))
    with pytest.raises(KeyboardInterrupt):
        train(ToyTask, data, VALIDATED, tmp_path)
    assert interrupted.uses == moment
    step = read_weights(tmp_path / "last.safetensors").header["checkpoint"]["step"]
    assert step == (moment - 1) // VALIDATED.samples_per_step
    assert_resumes_to_the_whole_run(tmp_path, tmp_path / "whole")


@pytest.mark.parametrize(("moment", "step"), [(33, 3), (40, 3), (64, 3), (65, 6), (96, 6)])
def test_a_validation_that_ctrl_c_breaks_off_is_made_by_the_resumed_run(
    moment: int, step: int, tmp_path: Path
) -> None:
    interrupted = Interrupted(moment)
    data = TrainingData(ToyStream(0), ToyStream(1))
    with pytest.raises(KeyboardInterrupt):
        train(lambda: InterruptedTask(interrupted), data, VALIDATED, tmp_path)
    assert interrupted.uses == moment
    assert read_weights(tmp_path / "last.safetensors").header["checkpoint"]["step"] == step
    assert_resumes_to_the_whole_run(tmp_path, tmp_path / "whole")


def test_a_run_whose_first_measures_ctrl_c_breaks_off_has_saved_nothing(tmp_path: Path) -> None:
    data = TrainingData(ToyStream(0), ToyStream(1))
    with pytest.raises(KeyboardInterrupt):
        train(lambda: InterruptedTask(Interrupted(5)), data, VALIDATED, tmp_path)
    assert not (tmp_path / "last.safetensors").exists()


@pytest.mark.parametrize("number", ENDING_SIGNALS)
def test_every_signal_that_ends_a_run_saves_it(number: signal.Signals, tmp_path: Path) -> None:
    def end(batches: int) -> float:
        if batches == 5:  # in the third step
            os.kill(os.getpid(), number)
        return 1.0

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, VALIDATED, hook=end)
    assert read_weights(tmp_path / "last.safetensors").header["checkpoint"]["step"] == 3


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def interrupt_within(interrupts: Interrupts) -> None:
    with interrupts.break_off():
        interrupt()
        raise AssertionError("the work went on")


@pytest.mark.parametrize("before", [interrupt, lambda: None])
def test_what_may_be_broken_off_ends_at_once(before: Callable[[], None]) -> None:
    with catch_interrupts() as interrupts:
        before()
        with pytest.raises(BrokenOffError):
            interrupt_within(interrupts)
    assert interrupts.has_come


def test_what_may_not_be_broken_off_ends_at_the_second_signal() -> None:
    with catch_interrupts() as interrupts:
        interrupt()
        assert interrupts.has_come
        with pytest.raises(KeyboardInterrupt):
            interrupt()
