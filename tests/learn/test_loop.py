"""The training loop: what a run leaves, and that it can stop and resume as if it had not."""

from __future__ import annotations

import csv
import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from tests.learn.toy import CONFIG, ToyStream, ToyTask, run

from stainbridge.errors import InputError
from stainbridge.learn.loop import TrainingData, train
from stainbridge.learn.weights import copy_weights, read_weights


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [
            {key: value for key, value in row.items() if key != "step_s"}
            for row in csv.DictReader(file)
        ]


def test_what_a_run_leaves(tmp_path: Path) -> None:
    reports: list[tuple[str, float]] = []
    data = TrainingData(ToyStream(0), ToyStream(1))
    checkpoint = train(
        ToyTask, data, CONFIG, tmp_path, progress=lambda text, share: reports.append((text, share))
    )
    assert (checkpoint.step, checkpoint.position) == (6, 24)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "last.safetensors",
        "best.safetensors",
        "metrics.csv",
        "pictures",
        "tensorboard",
    }
    assert [row["step"] for row in rows(tmp_path)] == ["0", "2", "3", "4", "6"]
    assert rows(tmp_path)[0]["generator"] == ""
    assert float(rows(tmp_path)[-1]["validation_distance"]) > 0
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == [
        "0000000.png", "0000004.png", "0000006.png",
    ]  # fmt: skip
    with PIL.Image.open(tmp_path / "pictures" / "0000004.png") as picture:
        assert picture.size == (8, 16)  # of two validation batches
    prepared, reports = reports[:3], reports[3:]
    assert prepared == [(f"made {count} of 3 samples to validate on", 0.0) for count in (0, 2, 3)]
    assert re.fullmatch(
        r"step 6 of 6, generator \S+, spread \S+, critic \S+, best \S+, \S+ (steps/s|s a step)",
        reports[-1][0],
    )
    assert re.search(r" \d+ s left$", reports[0][0])
    assert [share for _, share in reports] == pytest.approx(np.arange(1, 7) / 6)


def test_stopping_and_resuming_is_bit_for_bit_not_stopping(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    run(tmp_path / "parts", replace(CONFIG, steps=3))
    torch.rand(7)  # the random state is resumed from the file
    parts = run(tmp_path / "parts", resume=True)
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert (
        read_weights(tmp_path / "whole" / "last.safetensors").header
        == read_weights(tmp_path / "parts" / "last.safetensors").header
    )
    assert rows(tmp_path / "whole")[-1] == rows(tmp_path / "parts")[-1]


def test_the_seed_decides_everything(tmp_path: Path) -> None:
    first = run(tmp_path / "a")
    again = run(tmp_path / "b")
    other = run(tmp_path / "c", replace(CONFIG, seed=1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["networks.critic.0.weight"], other["networks.critic.0.weight"])


def test_the_best_weights_are_those_that_measured_best(tmp_path: Path) -> None:
    run(tmp_path)
    measures = [row["validation_distance"] for row in rows(tmp_path)[1:]]
    lowest = min(float(measure) for measure in measures if measure)
    best = read_weights(tmp_path / "best.safetensors")
    assert best.header["measure"] == pytest.approx(lowest, rel=1e-4)
    task = ToyTask()
    copy_weights(best, task.networks)
    for network in task.networks.values():
        network.eval()
    batches = [torch.stack([ToyStream(1)[i] for i in pair]) for pair in ((0, 1), (2, 3))]
    distances = [task.measure(batch)["distance"] for batch in batches]
    assert np.mean(distances) == pytest.approx(lowest, rel=1e-4)


def test_ctrl_c_ends_the_step_and_leaves_a_run_to_resume(tmp_path: Path) -> None:
    def interrupt(batches: int) -> float:
        if batches == 5:  # in the third step
            os.kill(os.getpid(), signal.SIGINT)
        return 1.0

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", hook=interrupt)
    assert read_weights(tmp_path / "stopped" / "last.safetensors").header["checkpoint"]["step"] == 3
    resumed = run(tmp_path / "stopped", resume=True)
    whole = run(tmp_path / "whole")
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_loss_that_is_not_finite_is_one_line_and_changes_nothing_saved(tmp_path: Path) -> None:
    config = replace(CONFIG, save_every=1)
    with pytest.raises(
        InputError,
        match=r"^step 3: the loss of 'generator' is not finite; got nan; lower the learning",
    ):
        run(tmp_path, config, hook=lambda batches: float("nan") if batches == 4 else 1.0)
    stored = read_weights(tmp_path / "last.safetensors")
    assert stored.header["checkpoint"]["step"] == 2
    assert all(
        bool(torch.isfinite(t).all()) for t in stored.tensors.values() if t.is_floating_point()
    )


def test_an_optimiser_changes_only_its_own_network(tmp_path: Path) -> None:
    once = replace(CONFIG, steps=1, accumulate=1)
    plain = run(tmp_path / "a", once)
    louder = run(tmp_path / "b", once, hook=lambda batches: 1000.0)
    critics = [
        name for name in plain if name.startswith("optimisers.critic") and name.endswith("exp_avg")
    ]
    assert critics
    assert all(torch.equal(plain[name], louder[name]) for name in critics)
    loud = "optimisers.generator.0.exp_avg"
    assert torch.allclose(louder[loud], 1000 * plain[loud], rtol=1e-3)


def test_accumulated_batches_are_one_larger_batch(tmp_path: Path) -> None:
    base = replace(CONFIG, steps=1)
    two = run(tmp_path / "two", replace(base, batch=2, accumulate=1), plain=True)
    accumulated = run(tmp_path / "one", replace(base, batch=1, accumulate=2), plain=True)
    assert all(
        torch.allclose(two[name], accumulated[name], atol=1e-6)
        for name in two
        if name.startswith("networks")
    )


def test_the_rate_falls_as_the_task_says(tmp_path: Path) -> None:
    run(tmp_path, replace(CONFIG, steps=3))
    groups = read_weights(tmp_path / "last.safetensors").header["groups"]
    assert groups["critic"][0]["lr"] == pytest.approx(1e-2 * 0.5**2)


def test_the_average_of_weights_is_measured_kept_and_resumed(tmp_path: Path) -> None:
    config = replace(CONFIG, average=0.5)
    whole = run(tmp_path / "whole", config)
    plain = run(tmp_path / "plain")
    run(tmp_path / "parts", replace(config, steps=3))
    parts = run(tmp_path / "parts", config, resume=True)
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert all(
        torch.equal(whole[name], plain[name]) for name in plain
    )  # training does not depend on it
    name = "critic.0.weight"
    assert not torch.equal(whole[f"average.{name}"], whole[f"networks.{name}"])
    measured = [rows(tmp_path / folder)[-1]["validation_distance"] for folder in ("whole", "plain")]
    assert measured[0] != measured[1]


def test_mixed_precision_trains(tmp_path: Path) -> None:
    stored = run(tmp_path, replace(CONFIG, precision="bf16", steps=2))
    assert stored["networks.generator.0.weight"].dtype == torch.float32


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_gpu_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not so many GPUs here; expected 0; got 1"):
        run(tmp_path, replace(CONFIG, device="cuda"))


@pytest.mark.parametrize(
    "wrong", [{"batch": 0}, {"steps": -1}, {"validation_samples": 0}, {"log_every": 0}]
)
def test_impossible_runs_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError):
        replace(CONFIG, **wrong)  # type: ignore[arg-type]
