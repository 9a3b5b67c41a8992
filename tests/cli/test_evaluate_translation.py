"""`stainbridge evaluate translation` from the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from tests.cli.test_translate import weights
from tests.cli.test_warp import error_of
from tests.nn.test_lpips import write_alexnet

from stainbridge.cli.main import run

LEVELS = ("0", "1+", "3+")


@pytest.fixture
def bci(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder laid out as BCI: three pictures to train on, three to test on.

    The commands run beside it.
    """
    for side in ("HE", "IHC"):
        for split in ("train", "test"):
            folder = tmp_path / "BCI" / side / split
            folder.mkdir(parents=True)
            for number, level in enumerate(LEVELS):
                rng = np.random.default_rng([number, side == "IHC"])
                pixels = rng.integers(0, 256, (40, 56, 3), np.uint8)
                PIL.Image.fromarray(pixels).save(folder / f"{number:05d}_{split}_{level}.png")
    weights(tmp_path / "cyclic.safetensors", "cyclegan")
    weights(tmp_path / "paired.safetensors", "pix2pix-unet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


BEGIN = ["evaluate", "translation", "--data", "BCI", "--models"]


def test_tables_and_files(bci: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*BEGIN, "cyclic.safetensors", "paired.safetensors", "--out", "scores"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("test: 3 pictures, 56 x 40 px\n\nHE to Ki67\n")
    assert "HE to Ki67 and back to HE" in text
    assert "Ki67 to HE and back to Ki67" in text
    assert {path.name for path in (bci / "scores").iterdir()} == {
        "pictures.csv",
        "means.csv",
        "pictures.png",
    }
    with (bci / "scores" / "means.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    there = [line for line in lines if line["direction"] == "forward"]
    assert {line["model"] for line in there} == {"untranslated", "cyclic", "paired"}
    assert {line["level"] for line in there} == {"all", *LEVELS}
    assert {line["model"] for line in lines if line["direction"] != "forward"} == {"cyclic"}
    with (bci / "scores" / "pictures.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 3 * (3 + 2)


def test_json_with_distances_of_sets(bci: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Means(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.float().mean((2, 3))

    with pytest.warns(DeprecationWarning, match="torch.jit"):
        torch.jit.save(
            torch.jit.trace(Means(), torch.zeros(1, 3, 8, 8, dtype=torch.uint8)), "net.pt"
        )
    assert run([*BEGIN, "paired.safetensors", "--features", "net.pt", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["pictures"] == 3
    assert set(facts["distributions"]) == {"untranslated", "paired"}
    assert facts["distributions"]["paired"]["fid"] > 0
    assert {line["level"] for line in facts["means"]} == {"all", *LEVELS}


def test_perceptual_distances_get_columns_of_their_own(
    bci: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bci / "weights").mkdir()
    write_alexnet(bci / "weights")
    arguments = [*BEGIN, "paired.safetensors", "--lpips", "weights"]
    assert run([*arguments, "--out", "scores"]) == 0
    head = capsys.readouterr().out.splitlines()[3]
    assert head.endswith("LPIPS alex")
    with (bci / "scores" / "means.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert all(float(line["lpips_alex"]) > 0 for line in lines)
    assert {line["lpips_vgg"] for line in lines} == {""}
    assert run([*BEGIN, "paired.safetensors"]) == 0
    assert "LPIPS" not in capsys.readouterr().out


def test_baselines_are_rows_like_models(bci: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*BEGIN, "paired.safetensors", "--baselines", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    scores = {line["model"]: line["scores"] for line in facts["means"] if line["level"] == "all"}
    assert set(scores) == {"untranslated", "paired", "mean colour", "nearest neighbour"}
    # the training pictures are the very same here
    assert scores["nearest neighbour"]["rmse"] == 0
    assert 0 < scores["mean colour"]["rmse"] < scores["untranslated"]["rmse"]
    assert facts["residual"] is None
    assert facts["shifts"] == []


def test_shifted_targets_say_what_a_score_means(
    bci: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*BEGIN, "paired.safetensors", "--shifts", "--out", "scores"]) == 0
    text = capsys.readouterr().out
    assert "the real target against itself, shifted\nshift, px" in text
    assert "scores like the real target shifted by so many px" in text
    assert (bci / "scores" / "shifts.svg").read_text().startswith("<svg")
    with (bci / "scores" / "shifts.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["shift_px"] for line in lines] == ["0", "1", "2", "4", "8", "16"]
    assert lines[0]["psnr_db"] == "inf"
    assert run([*BEGIN, "paired.safetensors", "--shifts", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert len(facts["shifts"]) == 6
    assert set(facts["equal_shifts_px"]) == {"untranslated", "paired"}


def test_the_residual_of_a_paired_set_stands_beside_the_scores(
    bci: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = "residual_px,residual_uncertainty_px,residual_um"
    rows = [
        f"{number:05d}_test_{level},p,test,{level},yes,{number + 1},0.1,"
        for number, level in enumerate(LEVELS)
    ]
    text = "\n".join([f"name,patient,split,label,kept,{numbers}", *rows])
    (bci / "BCI" / "manifest.csv").write_text(text + "\n", encoding="utf-8")
    assert run([*BEGIN, "paired.safetensors", "--out", "scores"]) == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert line == "residual misalignment of the pairs: median 2.00 px, 90 % within 2.80 px"
    with (bci / "scores" / "means.csv").open(newline="") as file:
        means = list(csv.DictReader(file))
    assert {row["residual_median_px"] for row in means if row["level"] == "all"} == {"2"}
    assert run([*BEGIN, "paired.safetensors", "--most", "1", "--json"]) == 0
    residual = json.loads(capsys.readouterr().out)["residual"]
    assert (residual["pairs"], residual["median_px"], residual["median_um"]) == (1, 1, None)


def test_back_on_another_split_and_fewer(bci: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--reverse", "--split", "train", "--most", "2"]
    assert run([*BEGIN, "cyclic.safetensors", *options]) == 0
    assert capsys.readouterr().out.startswith("train: 2 pictures, 56 x 40 px\n\nKi67 to HE\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cyclic.safetensors", "--data", "scores"], "scores: no paired tiles there"),
        (
            ["cyclic.safetensors", "--split", "valid"],
            "no tiles of that split; expected test, train; got valid",
        ),
        (["nothing"], "no weights of that name"),
        (["paired.safetensors", "--reverse"], "does not translate Ki67 to HE"),
        (["paired.safetensors", "--features", "none.pt"], "no such file of a feature network"),
        (["paired.safetensors", "--lpips", "BCI"], "BCI: no LPIPS weights there"),
        (
            ["paired.safetensors", "--baselines", "--split", "train"],
            "baselines need training tiles beside those that are scored",
        ),
    ],
)
def test_bad_input(
    arguments: list[str], said: str, bci: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in error_of([*BEGIN, *arguments], capsys)


def test_a_tile_without_its_partner(bci: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bci / "BCI" / "IHC" / "test" / "00001_test_1+.png").unlink()
    assert "a picture without its partner" in error_of([*BEGIN, "paired.safetensors"], capsys)


def test_real_tiles(real_data: Path, bci: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = str(real_data / "tiles_he_ihc")
    assert (
        run(
            [
                "evaluate",
                "translation",
                "--data",
                data,
                "--models",
                "cyclic.safetensors",
                "--most",
                "4",
                "--json",
            ]
        )
        == 0
    )
    facts = json.loads(capsys.readouterr().out)
    nothing = next(line for line in facts["means"] if line["model"] == "untranslated")
    assert (facts["pictures"], facts["size"]) == (4, "128 x 128 px")
    assert 10 < nothing["scores"]["psnr_db"] < 20
