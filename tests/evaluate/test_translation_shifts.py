"""What a score means: the real target against itself, shifted."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from pathlib import Path

import cv2
import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.evaluate.translation import MeanScores, TranslationScores
from stainbridge.evaluate.translation_shift_chart import choose_ticks, write_shift_chart
from stainbridge.evaluate.translation_shifts import (
    SHIFTS_PX,
    ShiftCurve,
    ShiftScores,
    find_equal_shift,
)
from stainbridge.metrics.images import score_images
from stainbridge.types import Pixels


def blobs(side: int = 64) -> Pixels:
    noise = np.random.default_rng(0).uniform(0, 255, (side, side, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 4.0)
    smooth = 255 * (smooth - smooth.min()) / np.ptp(smooth)
    return np.ascontiguousarray(np.moveaxis(smooth.astype(np.uint8), -1, 0))


@pytest.fixture(scope="module")
def curve() -> tuple[ShiftScores, ...]:
    collected = ShiftCurve()
    collected.add(blobs(), "blobs")
    return collected.means()


def test_scores_get_worse_with_the_shift(curve: tuple[ShiftScores, ...]) -> None:
    assert [point.shift_px for point in curve] == list(SHIFTS_PX)
    psnr = [point.scores.psnr_db for point in curve]
    assert psnr[0] == math.inf
    assert psnr[:5] == sorted(psnr[:5], reverse=True)
    assert curve[0].scores.ssim_gaussian11 == 1


def test_a_shift_to_the_right_and_one_down_are_averaged(curve: tuple[ShiftScores, ...]) -> None:
    target = blobs()
    real = target[:, :48, :48]
    both = [target[:, :48, 4:52], target[:, 4:52, :48]]
    expected = np.mean([score_images(real, moved).psnr_db for moved in both])
    assert curve[3].scores.psnr_db == pytest.approx(expected)


def test_a_score_is_told_as_a_shift(curve: tuple[ShiftScores, ...]) -> None:
    at_two = curve[2].scores.psnr_db
    between = (at_two + curve[3].scores.psnr_db) / 2
    assert find_equal_shift(curve, "psnr_db", at_two) == pytest.approx(2)
    assert find_equal_shift(curve, "psnr_db", between) == pytest.approx(3)
    assert find_equal_shift(curve, "psnr_db", 0.0) == math.inf
    assert math.isnan(find_equal_shift(curve, "psnr_db", math.nan))
    assert math.isnan(find_equal_shift(curve, "lpips_alex", 0.2))


def test_measures_that_rise_with_the_shift() -> None:
    rising = [_make_point(shift, rmse=2.0 * shift) for shift in SHIFTS_PX]
    assert find_equal_shift(rising, "rmse", 6.0) == pytest.approx(3)
    assert find_equal_shift(rising, "rmse", 33.0) == math.inf


def test_tiles_that_are_too_small() -> None:
    with pytest.raises(InputError, match=r"small: the tile is too small to shift.*--shifts"):
        ShiftCurve().add(blobs(24), "small")


def test_the_chart_has_a_panel_a_measure_and_a_line_a_model(
    curve: tuple[ShiftScores, ...], tmp_path: Path
) -> None:
    means = [MeanScores("a <b>", "forward", "all", 1, curve[3].scores)]
    path = tmp_path / "shifts.svg"
    write_shift_chart(path, curve, means, {"psnr_db": "PSNR, dB", "ssim_gaussian11": "SSIM"})
    root = ET.parse(path).getroot()
    space = "{http://www.w3.org/2000/svg}"
    panels = root.findall(f"{space}g")
    texts = [text.text for text in root.iter(f"{space}text")]
    assert len(panels) == 2
    assert {"PSNR, dB", "SSIM", "a <b>", "the real target, shifted"} <= set(texts)
    first, second = (panel.find(f"{space}polyline") for panel in panels)
    assert first is not None
    assert second is not None
    # without a shift the PSNR is infinite and not drawn
    assert len(first.attrib["points"].split()) == len(SHIFTS_PX) - 1
    assert len(second.attrib["points"].split()) == len(SHIFTS_PX)
    level = [line for line in panels[0].iter(f"{space}line") if line.attrib["stroke-dasharray"]]
    at_four = first.attrib["points"].split()[2].split(",")[1]
    assert [line.attrib["y1"] for line in level] == [at_four]


def test_ticks_are_round_numbers() -> None:
    assert choose_ticks(15.3, 29.0) == [20, 25]
    assert choose_ticks(-0.06, 1.06) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert choose_ticks(0.31, 0.41) == pytest.approx([0.32, 0.34, 0.36, 0.38, 0.4])


def _make_point(shift: int, rmse: float) -> ShiftScores:
    return ShiftScores(shift, TranslationScores(20.0, 0.5, 0.5, rmse, 0.5))
