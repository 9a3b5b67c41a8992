"""Batches from a stream, and what is refused before training."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest
import torch
from tests.learn.toy import CONFIG, ToyStream, ToyTask
from torch import Tensor

from stainbridge.errors import InputError
from stainbridge.learn.data import (
    check_inputs,
    iterate_batches,
    iterate_validation_batches,
    move_batch,
)
from stainbridge.learn.loop import TrainingData, train


def take(count: int, *arguments: int, stream: ToyStream | None = None) -> list[Tensor]:
    with closing(iterate_batches(stream or ToyStream(), *arguments)) as source:
        return list(islice(source, count))


def test_a_worker_process_makes_the_same_batches_and_its_errors_come_as_they_are() -> None:
    expected = take(3, 2, 0, 4)
    with closing(iterate_batches(ToyStream(bad=10), 2, 1, 4)) as source:
        batches = list(islice(source, 3))
        with pytest.raises(InputError, match=r"^sample 10: unreadable$"):
            next(source)
    assert all(torch.equal(a, b) for a, b in zip(expected, batches, strict=True))


def test_several_processes_share_the_stream() -> None:
    whole = torch.cat(take(6, 2, 0, 4))
    first = torch.cat(take(3, 2, 0, 4, 0, 2))
    second = torch.cat(take(3, 2, 0, 4, 1, 2))
    mixed = torch.cat(
        [torch.cat([a, b]) for a, b in zip(first.split(2), second.split(2), strict=True)]
    )
    assert torch.equal(whole, mixed)


def test_validation_batches_are_rounded_up() -> None:
    assert [len(batch) for batch in iterate_validation_batches(ToyStream(1), CONFIG)] == [2, 2]


@dataclass(frozen=True)
class Growing:
    def __getitem__(self, number: int) -> Tensor:
        return torch.zeros(1, 4 + number, 4)


def test_samples_of_different_sizes_are_one_line() -> None:
    with (
        closing(iterate_batches(Growing(), 2, 0, 0)) as source,
        pytest.raises(InputError, match="set batch: 1"),
    ):
        next(source)


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (torch.zeros(0, 1, 4, 4), "no pixels"),
        (torch.full((1, 1, 4, 4), float("nan")), "not finite"),
        (
            torch.linspace(0, 255, 16).view(1, 1, 4, 4),
            r"out of range; expected -1.0 to 1.5; got 0 to 255",
        ),
        (torch.full((2, 1, 4, 4), 0.5), "nothing but one value"),
    ],
)
def test_data_that_cannot_be_trained_on(picture: Tensor, said: str) -> None:
    with pytest.raises(InputError, match=f"^training data, moving: .*{said}"):
        check_inputs({"moving": picture})


@dataclass(frozen=True)
class Flat:
    def __getitem__(self, number: int) -> Tensor:
        return torch.full((1, 8, 8), 0.5)


def test_the_loop_looks_at_the_data_first(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing but one value"):
        train(ToyTask, TrainingData(Flat(), Flat()), CONFIG, tmp_path)
    assert not (tmp_path / "metrics.csv").exists()


def test_moving_keeps_the_shape_of_a_batch() -> None:
    batch = {"a": [torch.ones(1), "name"], "b": torch.zeros(2)}
    moved = move_batch(batch, torch.device("meta"))
    assert moved["a"][0].device.type == moved["b"].device.type == "meta"
    assert moved["a"][1] == "name"


def test_a_worker_leaves_the_first_end_of_its_group_to_the_main_process() -> None:
    code = (
        "import os, signal; from stainbridge.learn.data import _begin_worker;"
        "_begin_worker(os.getppid(), 0);"
        "os.kill(os.getpid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGTERM);"
        "os.kill(os.getpid(), signal.SIGHUP);"
        "print('works', flush=True);"
        "os.kill(os.getpid(), signal.SIGTERM); print('still', flush=True)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("works\n", -signal.SIGTERM)
