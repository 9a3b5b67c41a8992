from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile

from stainbridge.cli.main import run
from stainbridge.metrics.segmentations import dice, score_labels, score_masks

Array = np.ndarray[Any, Any]
ROWS, COLUMNS = np.mgrid[:50, :70]
A = (COLUMNS - 30) ** 2 + (ROWS - 25) ** 2 < 400
B = (COLUMNS - 33) ** 2 + (ROWS - 24) ** 2 < 441


def saved(path: Path, pixels: Array) -> str:
    PIL.Image.fromarray(pixels).save(path)
    return str(path)


def facts_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert run(["evaluate", "masks", *arguments, "--json"]) == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    return facts


@pytest.fixture
def pair(tmp_path: Path) -> list[str]:
    """Masks with 255 and with 1 inside."""
    return [
        saved(tmp_path / "a.png", A * np.uint8(255)),
        saved(tmp_path / "b.png", B * np.uint8(1)),
    ]


def test_masks_of_one_label_are_compared_whatever_its_value(
    pair: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    facts = facts_of(pair, capsys)
    expected = score_masks(A, B)
    for name in ("dice", "hausdorff", "hd95", "mean_surface_distance"):
        assert facts[name] == pytest.approx(getattr(expected, name))
    assert facts["unit"] == "px"
    assert [row["label"] for row in facts["labels"]] == [255]


def test_labels_have_a_row_each_and_a_mean(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = A * np.uint8(2), B * np.uint8(2)
    a[40:, 60:], b[41:, 58:] = 5, 5
    paths = [saved(tmp_path / "a.png", a), saved(tmp_path / "b.png", b)]
    facts = facts_of(paths, capsys)
    expected = score_labels(a, b)
    assert [row["label"] for row in facts["labels"]] == [2, 5]
    assert [row["dice"] for row in facts["labels"]] == pytest.approx(
        [expected[2].dice, expected[5].dice]
    )
    assert facts["hd95"] == pytest.approx((expected[2].hd95 + expected[5].hd95) / 2)
    assert run(["evaluate", "masks", *paths]) == 0
    rows = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert rows == ["label", "2", "5", "mean"]


def test_a_label_that_only_one_has_is_mentioned_and_scores_nothing(
    pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    b = B * np.uint8(255)
    b[0, 0] = 9
    path = saved(tmp_path / "more.png", b)
    assert run(["evaluate", "masks", pair[0], path, "--json"]) == 0
    said = capsys.readouterr()
    row = json.loads(said.out)["labels"][0]
    assert row == {
        "label": 9,
        "dice": 0,
        "hausdorff": None,
        "hd95": None,
        "mean_surface_distance": None,
    }
    assert said.err == f"warning: label 9 is only in {path}\n"


def test_distances_are_in_micrometres_where_pixels_have_a_size(
    pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "b.ome.tif")
    metadata = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(path, B * np.uint8(1), ome=True, photometric="minisblack", metadata=metadata)
    facts = facts_of([pair[0], path], capsys)
    assert facts["unit"] == "µm"
    assert facts["hausdorff"] == pytest.approx(score_masks(A, B).hausdorff / 2)


def test_grey_saved_as_colour_is_still_a_mask(
    pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rgb = np.repeat((B * np.uint8(255))[..., None], 3, axis=2)
    assert facts_of([pair[0], saved(tmp_path / "rgb.png", rgb)], capsys)["dice"] == pytest.approx(
        dice(A, B)
    )


def test_what_is_no_mask_is_refused(
    pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    colours = np.random.default_rng(1).integers(0, 255, (50, 70, 3), np.uint8)
    fractions = tmp_path / "fractions.tif"
    tifffile.imwrite(fractions, B.astype(np.float32), photometric="minisblack", metadata=None)
    refused = {
        saved(tmp_path / "colours.png", colours): "not a label picture",
        str(fractions): "whole numbers",
        saved(tmp_path / "empty.png", np.zeros((50, 70), np.uint8)): "the mask is empty",
        saved(tmp_path / "small.png", (B * np.uint8(255))[1:]): "expected 70 x 50",
        str(tmp_path / "none.png"): "no such file",
    }
    for path, message in refused.items():
        assert run(["evaluate", "masks", pair[0], path]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert path in error
        assert error.count("\n") == 1


def test_masks_too_large_are_refused(
    pair: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stainbridge.jobs.files.picture_pairs.MOST_MASK_PIXELS", 1000)
    assert run(["evaluate", "masks", *pair]) == 2
    assert "lower resolution" in capsys.readouterr().err


@pytest.mark.slow
def test_real_labels_overlap_as_published(
    real_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = real_data / "allen_slices"
    names = sorted(path.name for path in (folder / "mri_labels").iterdir())[::3]
    rows: dict[int, list[float]] = {}
    for name in names:
        paths = [str(folder / side / name) for side in ("histo_affine_labels", "mri_labels")]
        for row in facts_of(paths, capsys)["labels"]:
            rows.setdefault(row["label"], []).append(row["dice"])
    medians = [np.median(rows[label]) for label in (1, 2, 3, 4)]
    assert medians == pytest.approx([0.664, 0.845, 0.837, 0.655], abs=0.03)


@pytest.mark.slow
def test_real_masks_overlap_as_published(
    real_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = real_data / "bigbrain_slices"
    names = sorted(path.name for path in (folder / "mri_mask").iterdir())[::12]
    overlaps = [
        facts_of([str(folder / side / name) for side in ("histo_affine_mask", "mri_mask")], capsys)[
            "dice"
        ]
        for name in names
    ]
    assert np.median(overlaps) == pytest.approx(0.919, abs=0.01)


def test_transparent_parts_are_outside(
    pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    white = np.full(A.shape, 255, np.uint8)
    clear = saved(tmp_path / "clear.png", np.dstack([white, white, white, A * np.uint8(255)]))
    assert facts_of([pair[0], clear], capsys)["dice"] == 1.0
