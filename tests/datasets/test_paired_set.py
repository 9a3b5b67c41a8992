"""Pairs chosen and weighed by the scores of a paired set."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from stainbridge.datasets.paired_set import (
    PairedSet,
    describe_pairs,
    format_residuals,
    summarise_residuals,
    weigh_residuals,
)
from stainbridge.datasets.tile_pictures import PictureSet, read_pictures
from stainbridge.errors import InputError
from stainbridge.translation.training.config import TileSamplingConfig

#: Residuals in pixels of the training pairs by name; None is not known.
RESIDUALS: Mapping[str, float | None] = {"a": 0.5, "b": 4.0, "c": None, "d": 1.5}


def write_scores(folder: Path, residuals: Mapping[str, float | None], split: str) -> None:
    """Write pictures of a split and add their rows to the manifest."""
    path = folder / "manifest.csv"
    is_new = not path.exists()
    columns = ("name", "patient", "split", "label", "kept")
    numbers = ("residual_px", "residual_uncertainty_px", "residual_um")
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow([*columns, *numbers])
        for name, residual in residuals.items():
            values = ["", "", ""] if residual is None else [residual, 0.1, residual / 2]
            writer.writerow([name, "p", split, "", "yes", *values])
            for stain in ("HE", "IHC"):
                (folder / stain / split).mkdir(parents=True, exist_ok=True)
                picture = PIL.Image.fromarray(np.zeros((8, 8, 3), np.uint8))
                picture.save(folder / stain / split / f"{name}.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_scores(tmp_path, RESIDUALS, "train")
    write_scores(tmp_path, {"v": 1.0}, "val")
    return tmp_path


def read(folder: Path) -> PictureSet:
    return read_pictures(str(folder), ("HE", "IHC"), paired=True)


def test_pairs_above_the_limit_or_unknown_are_left_out_of_both_stains(folder: Path) -> None:
    chosen = PairedSet.read(folder).select(read(folder).training, 1.5)
    assert [path.stem for path in chosen.sources] == ["a", "d"]
    assert [path.stem for path in chosen.targets] == ["a", "d"]
    assert chosen.targets[0].parent == folder / "IHC" / "train"


def test_weights_fall_with_the_residual_and_are_one_on_average(folder: Path) -> None:
    weights = PairedSet.read(folder).weigh(read(folder).training, scale_px=2.0).weights
    a, b, c, d = weights
    assert np.mean(weights) == pytest.approx(1)
    assert a > d > b > c == 0
    assert a / b == pytest.approx((1 + 2.0**2) / (1 + 0.25**2))


def test_aligned_pairs_all_weigh_the_same() -> None:
    assert weigh_residuals([0.0, 0.0], 2.0) == [1.0, 1.0]


def test_no_pair_left(folder: Path) -> None:
    with pytest.raises(InputError, match=r"train: no pair is aligned as well.*got 0.5 px at least"):
        PairedSet.read(folder).select(read(folder).training, 0.1)


def test_nothing_is_known(tmp_path: Path) -> None:
    write_scores(tmp_path, {"a": None, "b": None}, "train")
    write_scores(tmp_path, {"v": None}, "val")
    with pytest.raises(InputError, match="no residual is known"):
        PairedSet.read(tmp_path).weigh(read(tmp_path).training, 2.0)


def test_a_picture_without_a_row(folder: Path) -> None:
    for stain in ("HE", "IHC"):
        (folder / stain / "train" / "e.png").write_bytes(
            (folder / stain / "train" / "a.png").read_bytes()
        )
    with pytest.raises(InputError, match=r"e.png: a picture that the manifest does not list"):
        PairedSet.read(folder).select(read(folder).training, 9)


def test_a_folder_without_scores(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no scores of pairs.*--max-residual"):
        PairedSet.read(tmp_path)


def test_the_summary_is_of_what_is_known(folder: Path) -> None:
    summary = summarise_residuals(PairedSet.read(folder).list_split("train"))
    assert (summary.pairs, summary.known) == (4, 3)
    assert (summary.median_px, summary.median_um) == (1.5, 0.75)
    assert summary.p90_px == pytest.approx(np.percentile([0.5, 1.5, 4.0], 90))
    assert format_residuals(summary) == (
        "median 1.50 px (0.75 µm), 90 % within 3.50 px (1.75 µm); unknown for 1 of 4"
    )
    assert math.isnan(summarise_residuals([]).median_px)
    assert format_residuals(summarise_residuals([])) == "unknown"


def test_the_card_says_which_pairs_and_weights(folder: Path) -> None:
    patches = PairedSet.read(folder).list_split("train")
    tiles = TileSamplingConfig(max_residual_px=2.0, weight_by_residual=True)
    facts = describe_pairs(tiles, patches)
    assert facts["training pairs"] == "2 of 4, residual up to 2 px"
    assert facts["residual"].startswith("median 1.00 px (0.50 µm)")
    low, high = weigh_residuals([0.5, 1.5], 2.0)[::-1]
    assert facts["weights"].endswith(f"{low:.2f} to {high:.2f}")
    assert describe_pairs(TileSamplingConfig(), patches)["training pairs"] == "4"
