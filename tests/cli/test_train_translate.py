"""`stainbridge train translate` from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import yaml

from stainbridge.cli.main import run
from stainbridge.learn.weights import read_weights
from stainbridge.translation.inference.model import read_model

TINY = {
    "train": {
        "batch": 1,
        "workers": 0,
        "validation_samples": 2,
        "device": "cpu",
        "save_every": 1,
        "precision": "32",
    },
    "translation": {
        "tile_px": 32,
        "generator": {"width": 4, "halvings": 4},
        "discriminator": {"patch": {"width": 4, "halvings": 2}},
    },
}
CYCLE = {
    **TINY,
    "translation": {
        **TINY["translation"],
        "generator": {"width": 4, "blocks": 1},
        "objective": {"buffer": 2, "perceptual": {"width": 4, "layers": [1]}},
    },
}


@pytest.fixture
def tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with BCI's layout in `data`, `tiny.yaml` and `cycle.yaml`."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 3), ("test", 2)):
        for number in range(count):
            source = rng.integers(0, 256, (32, 32, 3), np.uint8)
            for stain, pixels in (("HE", source), ("IHC", 255 - source)):
                (tmp_path / "data" / stain / split).mkdir(parents=True, exist_ok=True)
                PIL.Image.fromarray(pixels).save(
                    tmp_path / "data" / stain / split / f"{number}.png"
                )
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    (tmp_path / "cycle.yaml").write_text(yaml.safe_dump(CYCLE))
    monkeypatch.chdir(tmp_path)
    return tmp_path


BEGIN = [
    "train",
    "translate",
    "--objective",
    "pix2pix-unet",
    "--data",
    "data",
    "--config",
    "tiny.yaml",
    "--steps",
    "2",
]
TURN = [
    "train",
    "translate",
    "--objective",
    "cyclegan-perceptual",
    "--data",
    "data",
    "--config",
    "cycle.yaml",
]


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert run(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    lines = [line for line in output.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0]


def test_train_resume_and_what_lies_in_the_folder(
    tiles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*BEGIN, "--mpp", "0.5", "--ema", "0.9", "--out", "run"]) == 0
    assert capsys.readouterr().out.startswith("2 steps, best measure ")
    folder = tiles / "run"
    assert {path.name for path in folder.iterdir()} >= {
        "config.yaml",
        "metrics.csv",
        "model-card.md",
        "pictures",
    }
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["run"]["command"] == "train translate"
    assert config["train"]["average"] == 0.9
    model = read_model(folder)
    assert (model.objective, model.source, model.target, model.mpp) == (
        "pix2pix-unet",
        "HE",
        "IHC",
        0.5,
    )
    assert run(["train", "translate", "--out", "run", "--resume", "--steps", "3"]) == 0
    assert read_weights(folder / "last.safetensors").header["checkpoint"]["step"] == 3
    card = (folder / "model-card.md").read_text()
    assert "# HE to IHC" in card
    assert "| objective | pix2pix-unet |" in card
    assert "PSNR, dB" in card


def test_a_resumed_run_is_the_one_that_was_never_stopped(tiles: Path) -> None:
    train = {
        **TINY["train"],
        "precision": "bf16",
        "channels_last": True,
        "average": 0.5,
        "batch": 2,
    }
    translation = {
        **TINY["translation"],
        "optimiser": {"decay_steps": 0},
    }  # what --steps does not change
    fast = {**TINY, "train": train, "translation": translation}
    (tiles / "tiny.yaml").write_text(yaml.safe_dump(fast))
    assert run([*BEGIN[:-1], "4", "--out", "whole"]) == 0
    assert run([*BEGIN, "--out", "parts"]) == 0
    assert run(["train", "translate", "--out", "parts", "--resume", "--steps", "4"]) == 0
    whole, parts = (
        read_weights(tiles / name / "last.safetensors").tensors for name in ("whole", "parts")
    )
    assert [name for name in whole if not bool((whole[name] == parts[name]).all())] == []


def test_the_rate_falls_to_nothing_at_the_last_step(tiles: Path) -> None:
    def course() -> tuple[int, int]:
        optimiser = yaml.safe_load((tiles / "run" / "config.yaml").read_text())["translation"][
            "optimiser"
        ]
        return optimiser["steady_steps"], optimiser["decay_steps"]

    assert run([*BEGIN, "--out", "run"]) == 0
    assert course() == (1, 1)
    assert run(["train", "translate", "--out", "run", "--resume"]) == 0
    assert course() == (1, 1)
    assert run(["train", "translate", "--out", "run", "--resume", "--steps", "4"]) == 0
    assert course() == (2, 2)


def test_the_other_way_and_from_another_runs_networks(tiles: Path) -> None:
    slow = {**TINY, "translation": {**TINY["translation"], "optimiser": {"rate": 1e-9}}}
    (tiles / "slow.yaml").write_text(yaml.safe_dump(slow))
    assert run([*BEGIN, "--out", "first"]) == 0
    assert (
        run(
            [
                *BEGIN,
                "--reverse",
                "--init",
                "first",
                "--steps",
                "1",
                "--config",
                "slow.yaml",
                "--out",
                "second",
            ]
        )
        == 0
    )
    first, second = (
        read_weights(tiles / name / "best.safetensors").tensors for name in ("first", "second")
    )
    for name in (name for name in first if name.endswith("weight") and "to_target" in name):
        assert (first[name] - second[name]).abs().max() < 1e-6
    model = read_model(tiles / "second")
    assert (model.source, model.target) == ("IHC", "HE")


def test_the_perceptual_network_is_told_in_log_and_card(
    tiles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*TURN, "--steps", "1", "--out", "run"]) == 0
    line = "perceptual network: seeded-untrained-vgg16 (no --perceptual was given)"
    assert line in capsys.readouterr().err.splitlines()
    assert "No ImageNet weights were given" in (tiles / "run" / "model-card.md").read_text()
    model = read_model(tiles / "run")
    assert model.reverse_generator is not None


def test_weights_of_the_perceptual_network_that_cannot_be_used(
    tiles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tiles / "vgg16.pth").write_bytes(b"no safetensors")
    full = {**CYCLE, "translation": {**CYCLE["translation"], "objective": {"buffer": 2}}}
    (tiles / "full.yaml").write_text(yaml.safe_dump(full))
    weighted = [*TURN[:-1], "full.yaml", "--perceptual", "vgg16.pth", "--out", "run"]
    assert "vgg16.pth: no weights of VGG-16" in refused(weighted, capsys)
    assert "the objective has no perceptual loss" in refused(
        [*BEGIN, "--perceptual", "vgg16.pth", "--out", "run"], capsys
    )
    assert not (tiles / "run").exists()


def test_bad_data_is_one_line_and_leaves_no_folder(
    tiles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin = [*BEGIN, "--out", "run"]
    (tiles / "data" / "IHC" / "train" / "2.png").rename(tiles / "data" / "IHC" / "train" / "9.png")
    assert "a picture without its partner" in refused(begin, capsys)
    (tiles / "data" / "IHC" / "train" / "9.png").rename(tiles / "data" / "IHC" / "train" / "2.png")
    PIL.Image.new("RGB", (40, 32)).save(tiles / "data" / "IHC" / "train" / "1.png")
    assert "1.png: not the size of its partner; expected 32 x 32; got 40 x 32" in refused(
        begin, capsys
    )
    PIL.Image.new("RGBA", (32, 32)).save(tiles / "data" / "IHC" / "train" / "1.png")
    assert "1.png: a tile with transparent pixels; expected grey or RGB" in refused(begin, capsys)
    assert "none: no such folder of pictures" in refused(
        [*BEGIN[:5], "none", "--out", "run"], capsys
    )
    assert not (tiles / "run").exists()


def test_what_makes_a_run_cannot_be_changed_on_the_way(
    tiles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*BEGIN, "--out", "run"]) == 0
    for option in (
        ["--objective", "pix2pix"],
        ["--mpp", "0.5"],
        ["--reverse"],
        ["--ema", "0.5"],
        ["--source", "x"],
    ):
        line = refused(["train", "translate", "--out", "run", "--resume", *option], capsys)
        assert "cannot change a resumed run" in line


def test_slides_of_a_manifest_and_generated_tissue(
    tiles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    whole = np.full((120, 140, 3), 245, np.uint8)
    whole[20:100, 30:120] = rng.integers(60, 170, (80, 90, 3), np.uint8)
    PIL.Image.fromarray(whole).save(tiles / "he.tif", resolution_unit=3, resolution=20000)
    (tiles / "slides.csv").write_text("fixed,moving\nhe.tif,he.tif\n")
    settings = ["--config", "cycle.yaml", "--steps", "1", "--out"]
    assert (
        run(
            [
                "train",
                "translate",
                "--objective",
                "cyclegan",
                "--data",
                "slides.csv",
                *settings,
                "slides",
            ]
        )
        == 0
    )
    assert read_model(tiles / "slides").mpp == pytest.approx(0.5, rel=1e-3)
    line = refused([*BEGIN[:5], "slides.csv", *BEGIN[6:], "--out", "run"], capsys)
    assert "no transform between the slides" in line
    assert run([*BEGIN[:5], "generated", *BEGIN[6:], "--out", "generated"]) == 0
    assert read_model(tiles / "generated").target == "HER2"


def score_pairs(folder: Path) -> None:
    """Write the manifest of a paired set beside the pictures of `data`."""
    names = ("name", "patient", "split", "label", "kept")
    numbers = ("residual_px", "residual_uncertainty_px", "residual_um")
    rows = [
        f"{number},p,{split},,yes,{number + 1},0.1,{number + 1}"
        for split, count in (("train", 3), ("test", 2))
        for number in range(count)
    ]
    text = "\n".join([",".join([*names, *numbers]), *rows])
    (folder / "data" / "manifest.csv").write_text(text + "\n", encoding="utf-8")


def test_scores_of_a_paired_set_choose_and_weigh(
    tiles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    score_pairs(tiles)
    options = ["--max-residual", "2", "--weight-by-residual"]
    assert run([*BEGIN, *options, "--out", "scored"]) == 0
    assert "1 of 3 training pairs left out" in capsys.readouterr().err
    settings = yaml.safe_load((tiles / "scored" / "config.yaml").read_text())
    assert settings["tiles"]["max_residual_px"] == 2
    card = (tiles / "scored" / "model-card.md").read_text()
    assert "| training pairs | 2 of 3, residual up to 2 px |" in card
    assert "| weights | 1 / (1 + (residual / 2 px)²), divided by their mean: 0.77 to 1.23 |" in card
    assert run(["train", "translate", "--out", "scored", "--resume", "--steps", "3"]) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--max-residual", "2"], "data: no scores of pairs there; expected manifest.csv"),
        (["--weight-by-residual", "--data", "generated"], "generated: these data have no scores"),
        (["--max-residual", "0"], "--max-residual out of range"),
    ],
)
def test_scores_that_the_data_lack(
    arguments: list[str], said: str, tiles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused([*BEGIN, *arguments, "--out", "unscored"], capsys)
    assert not (tiles / "unscored").exists()


def test_objectives_that_compare_no_places_cannot_weigh(
    tiles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    score_pairs(tiles)
    said = refused([*TURN, "--weight-by-residual", "--out", "cyclic"], capsys)
    assert "the objective has no term that compares pairs place by place" in said
    assert "expected pix2pix, pix2pix-unet, pix2pixhd, pyramid-pix2pix, supervised-patchnce" in said
