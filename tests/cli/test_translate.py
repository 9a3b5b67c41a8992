"""`stainbridge translate` from the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.cli.test_warp import error_of
from tests.translation.tiny import tiny

import stainbridge
from stainbridge.cli.main import run
from stainbridge.learn.checkpoint import Checkpoint, save_weights
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.slides.writing.write import write_slide
from stainbridge.translation.objectives.table import make_task


def weights(path: Path, name: str = "cyclegan", mpp: float | None = 4.0) -> Path:
    """A file of untrained weights from H&E to Ki67."""
    torch.manual_seed(0)
    config = replace(tiny(name), name=name, source="HE", target="Ki67", mpp=mpp)
    save_weights(path, make_task(config), Checkpoint(step=1000))
    return path


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slides") / "he.ome.tiff"
    write_slide(generate_pair(seed=3, size_px=512, mpp=2.0, moving_stain="Ki67").fixed, path)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return weights(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("name", "written_format"),
    [
        ("ki67.ome.tiff", "OME-TIFF"),
        ("ki67.tiff", "TIFF"),
        ("ki67.ome.zarr", "OME-Zarr"),
        ("ki67.png", "PNG"),
    ],
)
def test_a_slide_is_written_at_the_model_s_pixel_size(
    name: str,
    written_format: str,
    slide: Path,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / name
    assert (
        run(["translate", str(slide), "--model", str(model), "--out", str(out), "--tile", "256"])
        == 0
    )
    assert capsys.readouterr().err == ""
    with stainbridge.open_slide(out) as written:
        assert (written.frame.width, written.frame.height) == (256, 256)
        assert not written.frame.calibrated or written.frame.mpp == pytest.approx((4.0, 4.0))
        assert written.frame.calibrated == (written_format != "PNG")
        assert written.info.is_rgb
        assert written.info.format == written_format
        pixels = written.read(written.frame).pixels
    assert (pixels[:, :4] > 250).all()
    assert pixels.std() > 5
    assert {path.name for path in tmp_path.iterdir()} == {"model.safetensors", name}


def test_back_and_at_another_pixel_size(
    slide: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there, back = tmp_path / "there.tiff", tmp_path / "back.tiff"
    assert (
        run(["translate", str(slide), "--model", str(model), "--out", str(there), "--mpp", "8"])
        == 0
    )
    assert "the model was trained at 4 µm a pixel and is applied at 8" in capsys.readouterr().err
    arguments = [
        "translate",
        str(slide),
        "--model",
        str(model),
        "--out",
        str(back),
        "--mpp",
        "8",
        "--reverse",
    ]
    assert run(arguments) == 0
    pixels = []
    for path in (there, back):
        with stainbridge.open_slide(path) as written:
            assert written.frame.width == 128
            pixels.append(written.read(written.frame).pixels.astype(int))
    assert np.abs(pixels[0] - pixels[1]).max() > 10


def test_an_interrupted_translation_resumes_from_finished_tiles(
    slide: Path,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from stainbridge.translation.inference.inference import Inference

    whole, out = tmp_path / "whole.tiff", tmp_path / "ki67.tiff"
    arguments = [
        "translate",
        str(slide),
        "--model",
        str(model),
        "--tile",
        "128",
        "--mpp",
        "2",
        "--out",
    ]
    assert run([*arguments, str(whole)]) == 0
    asked: list[int] = []
    made = Inference.__call__

    def interrupted(self: Inference, pixels: np.ndarray) -> np.ndarray:
        asked.append(1)
        if len(asked) == 8:
            raise KeyboardInterrupt
        return made(self, pixels)

    monkeypatch.setattr(Inference, "__call__", interrupted)
    capsys.readouterr()
    assert run([*arguments, str(out)]) == 130
    said = capsys.readouterr().err
    assert "finished tiles are kept in" in said
    assert "interrupted; nothing half-written was left" in said
    parts = tmp_path / "ki67.tiff.parts"
    kept = len(list(parts.rglob("*.npy.zst")))
    assert not out.exists()
    assert kept >= 7
    assert json.loads((parts / "translated" / "plan.json").read_text())["tile_px"] == 128
    del asked[:]
    asked.extend([1] * 8)
    assert run([*arguments, str(out)]) == 0
    assert out.read_bytes() == whole.read_bytes()
    assert not parts.exists()
    again = len(asked)
    del asked[:]
    asked.extend([1] * 8)
    assert run([*arguments, str(out), "--overwrite"]) == 0
    assert len(asked) == again + kept


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--model", "nowhere"], "no weights of that name"),
        (["--out", "nowhere/x.tiff"], "no such folder"),
        (["--mpp", "0"], "--mpp out of range"),
        (["--tile", "16"], "tiles too small for the network; expected at least 128; got 16"),
        (["--device", "cuda"], "no CUDA device"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    change: list[str],
    said: str,
    slide: Path,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if change == ["--device", "cuda"] and torch.cuda.is_available():
        pytest.skip("there is one")
    out = tmp_path / "x.tiff"
    line = error_of(["translate", slide, "--model", model, "--out", out, *change], capsys)
    assert said in line
    assert not out.exists()


def test_weights_of_something_else_are_refused(
    slide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from stainbridge.learn.weights import write_weights

    other = tmp_path / "affine.safetensors"
    write_weights(other, {}, {"task": "affine", "settings": {}})
    line = error_of(["translate", slide, "--model", other, "--out", tmp_path / "x.tiff"], capsys)
    assert "weights of another architecture; expected translate; got affine" in line


def test_the_slide_is_never_replaced(
    slide: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = slide.read_bytes()
    assert "would replace the input" in error_of(
        ["translate", slide, "--model", model, "--out", slide], capsys
    )
    assert slide.read_bytes() == before
