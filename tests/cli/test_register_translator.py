"""`register --translator`: one slide seen in the other's stain."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from stainbridge.cli.main import run
from stainbridge.learn.named_weights import find_weights
from stainbridge.phantom.pairs.pair import generate_pair

MODEL = "he-panck"
PIPELINE = Path(__file__).parents[2] / "configs" / "cycganregnet.yaml"


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of an H&E section and its neighbour in PanCK."""
    folder = tmp_path_factory.mktemp("slides")
    pair = generate_pair(seed=3, size_px=192, mpp=4.0, moving_stain="PanCK", difficulty="easy")
    for name, slide in (("he", pair.fixed), ("panck", pair.moving)):
        pixels = np.moveaxis(slide.read(slide.frame).pixels, 0, -1)
        PIL.Image.fromarray(np.ascontiguousarray(pixels)).save(folder / f"{name}.png")
    grey = np.zeros((2, 64, 64), np.uint8)
    tifffile.imwrite(
        folder / "two.ome.tif", grey, metadata={"axes": "CYX"}, photometric="minisblack"
    )
    return folder


def register(slides: Path, out: Path, *options: object, fixed: str = "he.png") -> int:
    """Run the command with the published pipeline."""
    words = ["--fixed", slides / fixed, "--moving", slides / "panck.png", "--out", out]
    return run([str(word) for word in ("register", *words, "--pipeline", PIPELINE, *options)])


@pytest.fixture(scope="module")
def result(slides: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder of a registration, and the copy of the model's file that it used."""
    folder = tmp_path_factory.mktemp("register")
    model = folder / "model.safetensors"
    shutil.copy(find_weights(MODEL), model)
    assert register(slides, folder / "result", "--translator", model) == 0
    return folder / "result", model


def test_the_record_says_what_translated_which_slide(result: tuple[Path, Path]) -> None:
    folder, model = result
    record = json.loads((folder / "registration.json").read_text())
    assert record["translation"]["side"] == "fixed"
    assert record["translation"]["model"] == str(model)
    assert record["translation"]["target"] == "PanCK"
    assert len(record["translation"]["sha256"]) == 64
    assert record["fixed"]["path"].endswith("he.png")
    assert (record["fixed"]["width"], record["fixed"]["height"]) == (192, 192)


def test_the_published_pipeline_runs_with_what_is_shipped(result: tuple[Path, Path]) -> None:
    record = json.loads((result[0] / "registration.json").read_text())
    assert record["config"]["name"] == "cycganregnet"
    assert record["status"] in ("ok", "fallback")
    names = [stage["name"] for stage in record["stages"]]
    assert names[:4] == ["prepare", "search", "affine", "learned field"]


def test_the_report_shows_the_slides_and_the_translated_one(result: tuple[Path, Path]) -> None:
    page = (result[0] / "report.html").read_text(encoding="utf-8")
    assert "The fixed slide, translated to PanCK." in page
    assert "The fixed slide, he.png" in page


def test_it_is_done_until_the_model_changes(
    result: tuple[Path, Path], slides: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, model = result
    assert register(slides, folder, "--translator", model) == 0
    assert "already done" in capsys.readouterr().err
    assert register(slides, folder) == 2
    model.touch()
    assert register(slides, folder, "--translator", model) == 0
    with safe_open(model, "np") as file:
        facts = file.metadata()
    save_file({name: values * 1.01 for name, values in load_file(model).items()}, model, facts)
    assert register(slides, folder, "--translator", model) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--translator", "no/such/run"], "no weights there"),
        (["--translator", "nobody"], "no weights of that name"),
        (["--translator", "affine-net"], "affine"),
        (["--translate", "fixed"], "give --translator RUN too"),
        (["--reverse-translator"], "give --translator RUN too"),
        (["--translator", MODEL, "--reverse-translator"], "does not translate PanCK to HE"),
    ],
)
def test_bad_input_is_one_line_before_work_begins(
    options: list[str], said: str, slides: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert register(slides, tmp_path / "out", *options) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert said in lines[0]
    assert not (tmp_path / "out").exists()


def test_channels_that_do_not_fit_are_refused(
    slides: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--translator", MODEL, "--translate", "fixed")
    assert register(slides, tmp_path / "out", *options, fixed="two.ome.tif") == 2
    assert "wrong channels" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_the_output_never_replaces_the_model(
    slides: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(find_weights(MODEL), tmp_path / "best.safetensors")
    assert register(slides, tmp_path / "best.safetensors", "--translator", tmp_path) == 2
    assert "would replace the input" in capsys.readouterr().err
