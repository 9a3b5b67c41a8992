"""Translated pictures against real ones."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from stainbridge.errors import InputError
from stainbridge.evaluate.translation import (
    Comparison,
    ScoredPicture,
    TilePixels,
    TranslationMethod,
    TranslationScores,
    compare_translations,
    mean_scores,
    score_translation,
)
from stainbridge.evaluate.translation_files import write_grid, write_rows
from stainbridge.evaluate.translation_sets import FeatureSets
from stainbridge.metrics.images import score_images
from stainbridge.types import Pixels


def picture(seed: int, side: int = 24) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (3, side, side), np.uint8)


def invert(pixels: Pixels) -> Pixels:
    return 255 - pixels


def pairs(count: int = 3) -> list[TilePixels]:
    """The target is the source invert."""
    names = ("00000_test_0", "00001_test_3+", "00002_test_3+")
    return [
        TilePixels(f"test/{name}", picture(i), invert(picture(i)))
        for i, name in enumerate(names[:count])
    ]


def test_a_model_that_is_right_has_no_error() -> None:
    rows = [
        row
        for item in compare_translations(pairs(), [TranslationMethod("right", invert, invert)])
        for row in item.rows
    ]
    assert {row.direction for row in rows} == {"forward", "source", "target"}
    assert all(row.scores.rmse == 0 and row.scores.psnr_db == math.inf for row in rows)
    assert all(row.scores.ssim_gaussian11 == pytest.approx(1) for row in rows)


def test_scores_are_those_of_the_metrics() -> None:
    (item,) = compare_translations(pairs(1), [TranslationMethod("same", lambda pixels: pixels)])
    (row,) = item.rows
    images = score_images(item.pair.target, item.pair.source)
    assert (row.scores.psnr_db, row.scores.rmse) == (images.psnr_db, images.rmse)
    assert (row.scores.ssim_uniform7, row.scores.ssim_gaussian11) == (
        images.ssim_uniform7,
        images.ssim_gaussian11,
    )
    assert (row.width, row.height, row.level) == (24, 24, "0")


def test_reconstructions_are_measured_against_where_they_began() -> None:
    """Forward adds 10, backward subtracts 30: both reconstructions are 20 too dark."""
    grey = np.full((3, 24, 24), 100, np.uint8)
    grey[:, ::2] = 140
    method = TranslationMethod(
        "m", lambda pixels: pixels + np.uint8(10), lambda pixels: pixels - np.uint8(30)
    )
    (item,) = compare_translations([TilePixels("x", grey, grey + np.uint8(10))], [method])
    assert {row.direction: row.scores.rmse for row in item.rows} == {
        "forward": 0,
        "source": 20,
        "target": 20,
    }


def make_row(level: str, psnr: float, dab: float, model: str = "m") -> ScoredPicture:
    return ScoredPicture(
        model, "p", level, 24, 24, "forward", TranslationScores(psnr, 0.5, 0.5, 1.0, dab)
    )


def test_means_over_all_and_over_each_level() -> None:
    rows = [make_row("0", 10, math.nan), make_row("3+", 20, 0.5), make_row("3+", 30, 0.7)]
    means = {line.level: line for line in mean_scores(rows)}
    assert list(means) == ["all", "0", "3+"]
    assert [line.pictures for line in means.values()] == [3, 1, 2]
    assert means["all"].scores.psnr_db == pytest.approx(20)
    assert means["all"].scores.dab_dice == pytest.approx(0.6)
    assert math.isnan(means["0"].scores.dab_dice)
    assert [line.level for line in mean_scores([make_row("", 10, 0.5)])] == ["all"]


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("test/00000_test_3+", "3+"),
        ("00000_train_0", "0"),
        ("a/00013_test_1+", "1+"),
        ("he_064_000", ""),
        ("x_4", ""),
    ],
)
def test_levels_as_bci_names_them(name: str, level: str) -> None:
    assert TilePixels(name, picture(0), picture(0)).level == level


def test_pictures_that_do_not_fit_are_named() -> None:
    with pytest.raises(InputError, match="test/7: the pictures do not have the same size"):
        score_translation(picture(0), picture(0, 30), "test/7")


def comparison(seed: int, shift: int) -> Comparison:
    pair = TilePixels(str(seed), picture(seed), invert(picture(seed)))
    return Comparison(pair, {"far": np.full_like(pair.target, shift), "right": pair.target}, ())


def test_sets_of_pictures_are_compared() -> None:
    sets = FeatureSets(lambda images: images.float().mean((2, 3)))
    for seed in range(4):
        sets.add(comparison(seed, 3))
    scores = sets.scores()
    assert scores["right"].fid == pytest.approx(0, abs=1e-6)
    assert scores["far"].fid > 100
    assert scores["far"].real == 4


def test_files_of_an_evaluation(tmp_path: Path) -> None:
    rows = [make_row("0", 10, math.nan), make_row("3+", 20, 0.5)]
    write_rows(tmp_path / "means.csv", mean_scores(rows), {"m": {"fid": 1.5}})
    with (tmp_path / "means.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["level"] for line in lines] == ["all", "0", "3+"]
    assert [line["fid"] for line in lines] == ["1.5", "", ""]
    assert [line["dab_dice"] for line in lines] == ["0.5", "", "0.5"]
    write_grid(tmp_path / "grid.png", [comparison(0, 0), comparison(1, 255)], "HE", "Ki67")
    with PIL.Image.open(tmp_path / "grid.png") as grid:
        pixels = np.asarray(grid)
    assert pixels.shape[0] > 2 * 100
    assert torch.from_numpy(pixels.copy()).float().std() > 30
