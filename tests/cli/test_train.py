"""`stainbridge train` from the command line."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
import yaml
from tests.registration.training.sections import section

from stainbridge.cli.main import run
from stainbridge.geometry.landmarks import write_points_csv
from stainbridge.learn.weights import read_weights
from stainbridge.registration.training.task import RegistrationTask

TINY = {
    "train": {
        "accumulate": 1,
        "batch": 1,
        "workers": 0,
        "validation_samples": 1,
        "device": "cpu",
        "save_every": 1,
    },
    "pairs": {"section_px": [64, 64], "cached_pairs": 1},
}
AFFINE = {
    **TINY,
    "network": {"patch_px": 32, "widths": [8, 16], "features": 16, "groups": 4, "pool": 2},
}
DEFORMABLE = {
    **TINY,
    "pairs": {**TINY["pairs"], "patch_px": 64},
    "network": {"kind": "dirnet", "poolings": 3},
}
LANDMARKS = np.array([[50.0, 60], [110, 70], [80, 100], [60, 90]])


@pytest.fixture
def pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with `pairs.csv` of two aligned slides.

    Beside it are `affine.yaml` and `deformable.yaml`.
    """
    for seed, name in enumerate(("he", "ki67")):
        slide = section(seed)
        PIL.Image.fromarray(np.moveaxis(slide.read(slide.frame).pixels, 0, -1)).save(
            tmp_path / f"{name}.png"
        )
        write_points_csv(tmp_path / f"{name}.csv", LANDMARKS, tuple("abcd"))
    (tmp_path / "pairs.csv").write_text(
        "case,fixed,moving,fixed_landmarks,moving_landmarks\none,he.png,ki67.png,he.csv,ki67.csv\n"
    )
    (tmp_path / "affine.yaml").write_text(yaml.safe_dump(AFFINE))
    (tmp_path / "deformable.yaml").write_text(yaml.safe_dump(DEFORMABLE))
    monkeypatch.chdir(tmp_path)
    return tmp_path


BEGIN = [
    "train",
    "affine",
    "--data",
    "pairs.csv",
    "--config",
    "affine.yaml",
    "--steps",
    "2",
    "--out",
    "run",
]


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert run(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    lines = [line for line in output.err.splitlines() if not line.startswith("warning:")]
    assert len(lines) == 1
    return lines[0]


def test_train_resume_and_what_lies_in_the_folder(
    pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(BEGIN) == 0
    output = capsys.readouterr()
    assert output.out.startswith("2 steps, best measure ")
    assert "too few to keep some out" in output.err
    folder = pairs / "run"
    names = {path.name for path in folder.iterdir()}
    assert names >= {
        "config.yaml",
        "metrics.csv",
        "last.safetensors",
        "best.safetensors",
        "pictures",
        "tensorboard",
    }
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["run"]["command"] == "train affine"
    assert config["network"]["widths"] == [8, 16]
    assert run(["train", "affine", "--out", "run", "--resume", "--steps", "3"]) == 0
    assert capsys.readouterr().out.startswith("3 steps, ")
    assert read_weights(folder / "last.safetensors").header["checkpoint"]["step"] == 3
    with (folder / "metrics.csv").open(newline="") as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["0", "2", "3"]


def test_a_deformable_network(pairs: Path) -> None:
    arguments = [
        "train",
        "deformable",
        "--network",
        "dirnet",
        "--data",
        "pairs.csv",
        "--config",
        "deformable.yaml",
    ]
    assert run([*arguments, "--steps", "1", "--seed", "5", "--out", "run"]) == 0
    stored = read_weights(pairs / "run")
    assert (stored.task, stored.settings["network"]["kind"]) == ("deformable", "dirnet")
    assert yaml.safe_load((pairs / "run" / "config.yaml").read_text())["train"]["seed"] == 5


def test_a_config_with_an_unknown_key(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pairs / "bad.yaml").write_text("network:\n  colour: 3\n")
    arguments = ["train", "affine", "--data", "pairs.csv", "--config", "bad.yaml", "--out", "run"]
    assert "bad.yaml: network: colour: unknown key; expected " in refused(arguments, capsys)
    assert not (pairs / "run").exists()


def test_a_loss_that_is_not_finite(
    pairs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nan = torch.tensor(float("nan"), requires_grad=True)
    monkeypatch.setattr(RegistrationTask, "_dissimilarity", lambda *_: nan)
    wild = {**AFFINE, "optimiser": {"rate": "100"}}
    (pairs / "wild.yaml").write_text(yaml.safe_dump(wild))
    arguments = [
        "train",
        "affine",
        "--data",
        "pairs.csv",
        "--config",
        "wild.yaml",
        "--steps",
        "9",
        "--out",
        "run",
    ]
    assert "the loss of 'loss' is not finite; got nan; lower the learning rate" in refused(
        arguments, capsys
    )


def test_an_empty_data_set(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pairs / "none.csv").write_text("case,fixed,moving\n")
    arguments = ["train", "affine", "--data", "none.csv", "--out", "run"]
    assert "none.csv" in refused(arguments, capsys)
    assert not (pairs / "run").exists()


def test_workers_that_would_prepare_the_same_pairs_are_warned_of(
    pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*BEGIN, "--workers", "3", "--data", "nothing"]) == 2
    assert "warning: with pairs: cached_pairs below workers x batch = 3" in capsys.readouterr().err


def test_a_slide_without_tissue_leaves_no_folder(
    pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    PIL.Image.fromarray(np.full((160, 160, 3), 240, np.uint8)).save(pairs / "he.png")
    assert "he.png: no tissue found" in refused(BEGIN, capsys)
    assert not (pairs / "run").exists()


def test_weights_of_another_architecture_and_truncated_files(
    pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(BEGIN) == 0
    last, resume = (
        pairs / "run" / "last.safetensors",
        ["train", "affine", "--out", "run", "--resume", "--steps", "4"],
    )
    whole, config = last.read_bytes(), (pairs / "run" / "config.yaml").read_text()
    last.write_bytes(whole[: len(whole) // 2])
    assert "no complete safetensors file" in refused(resume, capsys)
    last.write_bytes(whole)
    (pairs / "run" / "config.yaml").write_text(config.replace("features: 16", "features: 32"))
    assert "weights of another architecture; expected " in refused(resume, capsys)
    assert last.read_bytes() == whole


def test_folders_that_do_not_fit(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(BEGIN) == 0
    assert "the folder is not empty; name another or add --resume" in refused(BEGIN, capsys)
    assert "a run of another command; expected train deformable; got train affine" in refused(
        ["train", "deformable", "--out", "run", "--resume"], capsys
    )
    (pairs / "other.yaml").write_text("train: {batch: 77}\n")
    for option, value in (
        ("--seed", "3"),
        ("--preset", "paper"),
        ("--data", "he.png"),
        ("--config", "other.yaml"),
    ):
        line = refused(["train", "affine", "--out", "run", "--resume", option, value], capsys)
        assert f"{option} cannot change a resumed run" in line
    assert "the output is a file" in refused([*BEGIN[:-1], "he.png"], capsys)


def test_ctrl_c_leaves_a_run_that_goes_on(pairs: Path) -> None:
    arguments = [*BEGIN, "--steps", "100000"]
    command = [sys.executable, "-m", "stainbridge", *arguments]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    ) as process:
        while not (pairs / "run" / "last.safetensors").exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "interrupted; nothing half-written was left"
    step = read_weights(pairs / "run" / "last.safetensors").header["checkpoint"]["step"]
    assert errors.splitlines()[-2] == (
        f"saved: run, {step} steps; the same command with --resume continues it"
    )
    assert run([*BEGIN, "--resume", "--steps", f"{step + 1}"]) == 0


@pytest.mark.slow
def test_two_processes_train_one_network(pairs: Path) -> None:
    command = [sys.executable, "-m", "stainbridge", *BEGIN, "--devices", "2", "--device", "cpu"]
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("2 steps, best measure") == 1
    assert read_weights(pairs / "run" / "last.safetensors").header["checkpoint"]["position"] == 4
