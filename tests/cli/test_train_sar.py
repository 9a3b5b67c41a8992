"""`stainbridge train sar`, and `register` with what it trained, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from tests.cli.test_warp import error_of
from tests.joint.sar.pictures import write_data

from stainbridge.cli.main import run
from stainbridge.learn.weights import read_weights

TINY = {
    "pairs": {"size_px": 64},
    "generator": {
        "width": 4, "blocks": 1, "shrink": 1, "halvings": 1, "correlation": 2, "picture": "warped",
    },
    "discriminator": {"widths": [4, 8], "features_px": 2, "hidden": 4, "shrink": 2},
    "loss": {"perceptual": {"width": 2}, "perceptual_px": 32},
    "generated": {"slides": 2, "slide_px": 128, "mpp": 16.0},
    "train": {"batch": 1, "workers": 0, "validation_samples": 1, "device": "cpu"},
}  # fmt: skip
BEGIN = ["train", "sar", "--config", "tiny.yaml", "--steps", "1", "--out", "run"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with `tiny.yaml` and a data set `data`."""
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    write_data(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_train_on_generated_tissue_and_register_with_it(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    assert run(BEGIN) == 0
    output = capsys.readouterr()
    assert output.out.startswith("1 steps, best measure ")
    assert "perceptual network: seeded-untrained-vgg16 (no --perceptual-weights" in output.err
    common = ["register", "--fixed", "he.svs", "--moving", "ki67.svs", "--preset", "fast"]
    common = [*common, "--no-report"]
    assert run([*common, "--sar", "run", "--tune", "10", "--out", "result"]) == 0
    record = json.loads((workplace / "result" / "registration.json").read_text())
    stages = {stage["name"]: stage for stage in record["stages"]}
    stage = stages["segmentation-augmented"]
    assert (stage["config"]["weights"], stage["config"]["tune"]) == ("run", 10)
    assert record["status"] == "ok"
    if stage["accepted"]:
        assert stage["score_after"] > stage["score_before"]

    (workplace / "pipeline.yaml").write_text(
        "pieces: false\n"
        "stages:\n- {kind: search}\n- {kind: affine}\n- {kind: sar, weights: run, tune: 10}\n"
    )
    pipeline = [part for part in common if part not in ("--preset", "fast")]
    assert run([*pipeline, "--pipeline", "pipeline.yaml", "--out", "again"]) == 0
    again = json.loads((workplace / "again" / "registration.json").read_text())
    repeated = {stage["name"]: stage for stage in again["stages"]}["segmentation-augmented"]
    assert repeated["config"] == stage["config"]


def test_masks_are_trained_on_and_a_run_resumes_with_its_settings(place: Path) -> None:
    (place / "split.csv").write_text("name,part\n0,train\n1,train\n2,validation\n3,test\n")
    assert run([*BEGIN, "--data", "data", "--split", "split.csv"]) == 0
    rows = (place / "run" / "metrics.csv").read_text().splitlines()
    assert "validation_own_dice" in rows[0]
    assert run(["train", "sar", "--out", "run", "--resume", "--steps", "2"]) == 0
    stored = read_weights(place / "run" / "last.safetensors")
    assert (stored.task, stored.header["checkpoint"]["step"]) == ("sar", 2)
    assert stored.settings["size_px"] == 64


def test_without_segmentation_no_masks_are_needed(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "data" / "masks").rename(place / "data" / "other")
    assert "no masks to train on" in error_of([*BEGIN, "--data", "data"], capsys)
    assert not (place / "run").exists()
    assert run([*BEGIN, "--data", "data", "--no-segmentation"]) == 0
    assert "own_dice" not in (place / "run" / "metrics.csv").read_text()
    capsys.readouterr()
    assert run(["train", "sar", "--out", "run", "--resume", "--no-segmentation"]) == 0


def test_another_network_is_trained_on_the_same_pairs_and_resumes(place: Path) -> None:
    (place / "tiny.yaml").write_text(yaml.safe_dump({**TINY, "loss": {}}))
    assert run([*BEGIN, "--data", "data", "--network", "dirnet"]) == 0
    assert run(["train", "sar", "--out", "run", "--resume", "--network", "dirnet"]) == 0
    stored = read_weights(place / "run" / "last.safetensors")
    assert (stored.task, stored.settings["network"]["kind"]) == ("sar-comparator", "dirnet")
    assert stored.settings["size_px"] == 64


def test_another_network_has_no_perceptual_distance(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*BEGIN, "--network", "dirnet", "--perceptual-weights", "vgg16.pth"]
    assert "only SAR's own network is trained with a perceptual" in error_of(arguments, capsys)
    assert not (place / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere"], "nowhere: no such folder"),
        (["--data", "data", "--split", "no.csv"], "no.csv: no such split file"),
        (["--data", "data", "--split", "split.csv"], "no pictures in this part"),
    ],
)
def test_bad_input_is_one_line_before_work_begins(
    place: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    (place / "split.csv").write_text("name,part\n0,train\n")
    assert message in error_of([*BEGIN, *arguments], capsys)
    assert not (place / "run").exists()


def test_missing_weights_of_the_perceptual_network_are_named(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "sar", "--steps", "1", "--out", "run", "--perceptual-weights", "no.pth"]
    assert "no.pth" in error_of(arguments, capsys)
    assert not (place / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tune", "10"], "--tune needs a network to tune"),
        (["--sar", "weights.safetensors", "--tune", "9"], "expected 10 to 30; got 9"),
        (["--sar", "weights.safetensors"], "weights.safetensors: no weights there"),
    ],
)
def test_register_refuses_what_it_cannot_tune_or_find(
    workplace: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    common = ["register", "--fixed", "he.svs", "--moving", "ki67.svs", "--out", "result"]
    assert message in error_of([*common, *arguments], capsys)
    assert not (workplace / "result").exists()
