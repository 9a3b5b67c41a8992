"""`stainbridge train sharpen`, and what it trained, from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import yaml
from tests.cli.conftest import KnownResult
from tests.cli.test_translate import weights
from tests.cli.test_warp import error_of
from tests.slides.memory_slide import draw_texture

import stainbridge
from stainbridge.cli.main import run
from stainbridge.learn.weights import read_weights

TINY = {
    "train": {"batch": 2, "workers": 0, "validation_samples": 2, "device": "cpu", "save_every": 1},
    "sharpen": {
        "generator": {"width": 4, "growth": 2, "blocks": 1},
        "discriminator": {"width": 4, "halvings": 2},
        "perceptual": {"width": 4, "layers": [1]},
        "warm_steps": 1,
    },
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with `tiny.yaml` and a folder of six tiles."""
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    (tmp_path / "tiles").mkdir()
    for seed in range(6):
        pixels = np.ascontiguousarray(np.moveaxis(draw_texture(3, 64, 64, seed=seed), 0, -1))
        PIL.Image.fromarray(pixels).save(tmp_path / "tiles" / f"{seed}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


BEGIN = ["train", "sharpen", "--config", "tiny.yaml", "--steps", "2", "--out", "run"]


def test_train_resume_and_apply(
    place: Path, known: KnownResult, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*BEGIN, "--data", "tiles", "--factor", "2"]) == 0
    output = capsys.readouterr()
    assert output.out.startswith("2 steps, best measure ")
    assert "perceptual network: seeded-untrained-vgg16" in output.err
    assert run(["train", "sharpen", "--out", "run", "--resume", "--steps", "3"]) == 0
    stored = read_weights(place / "run" / "last.safetensors")
    assert (stored.task, stored.header["checkpoint"]["step"]) == ("sharpen", 3)
    assert stored.settings["generator"]["factor"] == 2

    arguments = ["warp", "slide", str(known.folder), "--out", "sharp.ome.tiff", "--sharpen", "run"]
    assert run([*arguments, "--compression", "deflate"]) == 0
    with stainbridge.open_slide("sharp.ome.tiff") as slide:
        assert (slide.frame.width, slide.frame.height) == (280, 200)
        assert slide.read(slide.frame).pixels.std() > 5
    assert not Path("sharp.ome.tiff.parts").exists()

    model = weights(place / "model.safetensors", mpp=None)
    arguments = [
        "translate",
        str(known.moving),
        "--model",
        str(model),
        "--out",
        "there.tiff",
        "--sharpen",
        "run",
    ]
    assert run([*arguments, "--glass"]) == 0
    with stainbridge.open_slide("there.tiff") as slide:
        assert (slide.frame.width, slide.frame.height) == (400, 560)
    assert not Path("there.tiff.parts").exists()


def test_on_generated_tissue_four_times_finer(place: Path) -> None:
    assert run([*BEGIN, "--factor", "4", "--mpp", "1.0"]) == 0
    stored = read_weights(place / "run")
    assert (stored.settings["generator"]["factor"], stored.settings["mpp"]) == (4, 1.0)
    assert yaml.safe_load((place / "run" / "config.yaml").read_text())["mpp_range"] == [1.0, 1.0]


def test_weights_of_something_else_do_not_sharpen(
    place: Path, known: KnownResult, capsys: pytest.CaptureFixture[str]
) -> None:
    model = weights(place / "model.safetensors")
    line = error_of(["warp", "slide", known.folder, "--out", "x.tiff", "--sharpen", model], capsys)
    assert "weights of another architecture; expected sharpen; got translate" in line
    line = error_of(
        ["translate", known.fixed, "--model", model, "--out", "x.tiff", "--sharpen", "none"], capsys
    )
    assert "no weights of that name" in line
    assert not Path("x.tiff").exists()


@pytest.mark.parametrize(
    ("data", "said"), [("nowhere", "no such file or folder"), ("empty", "no slides or pictures")]
)
def test_data_that_is_not_there(
    data: str, said: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "empty").mkdir()
    assert said in error_of([*BEGIN, "--data", data], capsys)
    assert not (place / "run").exists()
