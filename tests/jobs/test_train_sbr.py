"""Training Synth-by-Reg as a job: on generated slices alone, resumed, split, refused."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from stainbridge.errors import InputError
from stainbridge.jobs.register import RegisterJob
from stainbridge.jobs.train_sbr import TrainSbrJob
from stainbridge.joint.models import load_field
from stainbridge.learn.weights import read_weights

NETWORK = {"down": [8, 8, 8], "up": [8, 8], "last": [8], "squarings": 4}
SETTINGS: dict[str, Any] = {
    "train": {"batch": 1, "validation_samples": 2, "validate_every": 2, "workers": 0},
    "network": NETWORK,
    "slices": {"longest_px": 64},
    "registration_steps": 2,
}
#: A registration that costs little.
PIPELINE: dict[str, Any] = {
    "working_px": 128,
    "device": "cpu",
    "allow_flip": False,
    "max_rotation_deg": 5.0,
    "stages": [{"kind": "search"}, {"kind": "affine"}],
    "second_search": None,
}
SYNTHESIS = {
    **SETTINGS,
    "generator": {"width": 4, "blocks": 1, "halvings": 2},
    "objective": {"kind": "sbr", "locations": 16, "projection": 8},
}


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of six paired slices: a disc that drifts, and its negative, shifted."""
    folder = tmp_path_factory.mktemp("slices")
    y, x = np.mgrid[:120, :128].astype(np.float32)
    for number in range(6):
        for side, shift in (("fixed", 0.0), ("moving", 4.0)):
            disc = (x - 64 - shift) ** 2 + (y - 60) ** 2 < 45**2
            spot = (x - 50 - 3 * number - shift) ** 2 + (y - 55) ** 2 < 18**2
            grey = np.where(spot, 200, 110) if side == "fixed" else np.where(spot, 90, 190)
            picture = np.where(disc, grey + 8 * np.sin(x / 3), 0).astype(np.uint8)
            _save(folder / side / f"slice_{number}.png", picture)
            labels = np.where(disc, 1 + spot, 0).astype(np.uint8)
            _save(folder / f"{side}_labels" / f"slice_{number}.png", labels)
    return folder


def _save(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(picture).save(path)


def write_config(path: Path, settings: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(settings))
    return path


def make_job(
    out: Path, data: Path, settings: dict[str, Any] = SYNTHESIS, **more: Any
) -> TrainSbrJob:
    config = write_config(out.with_suffix(".yaml"), settings)
    job = TrainSbrJob(out=out, data=str(data), config=config, steps=4, device="cpu", seed=3)
    return replace(job, **more)


def register(slices: Path, out: Path, **options: Any) -> list[str]:
    """Register a slice; return the names of the stages that ran."""
    pipeline = write_config(out.with_suffix(".yaml"), PIPELINE)
    outcome = RegisterJob(
        fixed=slices / "fixed" / "slice_2.png",
        moving=slices / "moving" / "slice_2.png",
        out=out,
        report=False,
        **{"pipeline": pipeline, **options},
    ).run()
    return [stage["name"] for stage in outcome.record["stages"]]


def is_equal(first: Path, second: Path) -> bool:
    a, b = (read_weights(path).tensors for path in (first, second))
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_run_trains_its_registration_network_first_and_registers(
    slices: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    outcome = make_job(out, slices).run()
    assert outcome.steps == 4
    assert (out / "registration" / "last.safetensors").is_file()
    with (out / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1]["validation_dice_before"]) > 0
    within = read_weights(out / "registration" / "last.safetensors").tensors
    frozen = read_weights(out / "last.safetensors").tensors
    for name, tensor in within.items():
        if name.startswith("networks."):
            assert torch.equal(tensor, frozen[name])  # no step of G moved it
    assert "synth-by-reg" in register(slices, tmp_path / "by option", sbr=str(out))
    stages = [{"kind": "search"}, {"kind": "affine"}, {"kind": "sbr", "weights": str(out)}]
    pipeline = write_config(tmp_path / "p.yaml", {**PIPELINE, "stages": stages})
    assert "synth-by-reg" in register(slices, tmp_path / "by file", pipeline=pipeline)


@pytest.mark.parametrize("phase", ["registration network, step 1 of", "step 2 of"])
def test_an_interrupted_run_is_resumed_bit_for_bit(
    slices: Path, tmp_path: Path, phase: str
) -> None:
    settings = {**SYNTHESIS, "train": {**SYNTHESIS["train"], "save_every": 1}}
    whole = tmp_path / "whole"
    make_job(whole, slices, settings).run()
    parts = tmp_path / "parts"

    def interrupt(text: str, fraction: float) -> None:
        if text.startswith(phase):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_job(parts, slices, settings).run(progress=interrupt)
    TrainSbrJob(out=parts, resume=True).run()
    assert is_equal(whole / "last.safetensors", parts / "last.safetensors")


def test_a_named_registration_network_is_taken(slices: Path, tmp_path: Path) -> None:
    within = tmp_path / "within"
    make_job(within, slices, SETTINGS, variant="registration").run()
    out = tmp_path / "run"
    make_job(out, slices, registration=within).run()
    assert not (out / "registration").exists()
    own, named = (read_weights(run).tensors for run in (out, within))  # those that measured best
    key = next(name for name in own if name.startswith("networks.registration."))
    assert torch.equal(own[key], named[key])
    assert load_field(out)


def test_only_the_slices_of_the_split_are_trained_on(slices: Path, tmp_path: Path) -> None:
    parts = ["train", "train", "train", "validation", "validation", "test"]
    split = tmp_path / "parts.csv"
    lines = [f"slice_{number},{part}" for number, part in enumerate(parts)]
    split.write_text("\n".join(["name,part", *lines]) + "\n")
    notes: list[str] = []
    job = make_job(tmp_path / "run", slices, SETTINGS, variant="nmi", split=split)
    job.run(note=notes.append)
    assert not any("all slices" in note for note in notes)
    settings = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert settings["split"] == str(split)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"variant": "nmi", "registration": Path("somewhere")}, "takes no registration network"),
        ({"registration": Path("nowhere")}, "nowhere"),
        ({"split": Path("nowhere.csv")}, "no such split file"),
        ({"data": "nowhere"}, "nowhere"),
    ],
)
def test_bad_input_is_refused_and_leaves_nothing(
    slices: Path, tmp_path: Path, more: dict[str, Any], message: str
) -> None:
    settings = SETTINGS if more.get("variant") == "nmi" else SYNTHESIS
    with pytest.raises(InputError, match=message):
        replace(make_job(tmp_path / "run", slices, settings), **more).run()
    assert not (tmp_path / "run").exists()


def test_a_run_of_another_variant_is_no_registration_network(slices: Path, tmp_path: Path) -> None:
    other = tmp_path / "nmi"
    make_job(other, slices, SETTINGS, variant="nmi").run()
    with pytest.raises(InputError, match="another variant"):
        make_job(tmp_path / "run", slices, registration=other).run()


def test_generated_slices_need_no_files(tmp_path: Path) -> None:
    settings = {
        **SETTINGS,
        "slices": {
            "longest_px": 64,
            "generated_slices": 3,
            "generated": {"size_px": 64, "mpp": 16.0},
        },
    }
    config = write_config(tmp_path / "settings.yaml", settings)
    job = TrainSbrJob(
        out=tmp_path / "run", variant="nmi-w", config=config, steps=1, device="cpu", seed=1
    )
    assert job.run().steps == 1
