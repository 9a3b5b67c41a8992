"""Cells of agreement, the examples among them, and round scale bars."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from stainbridge.geometry.frame import Space
from stainbridge.report.agreement import (
    CELL_PX,
    choose_examples,
    draw_agreement,
    measure_agreement,
)
from stainbridge.report.scale_bar import LONGEST_SHARE, make_scale_bar


def tissue(seed: int, shape: tuple[int, int] = (4 * CELL_PX, 5 * CELL_PX)) -> np.ndarray:
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 3)
    return (0.5 + 0.15 * noise / noise.std()).clip(0.1, 1).astype(np.float32)


def test_agreement_is_high_where_slides_are_alike_and_low_where_not() -> None:
    fixed = tissue(0)
    warped = fixed.copy()
    warped[:CELL_PX] = tissue(1)[:CELL_PX]
    cells = measure_agreement(fixed, warped)
    assert len(cells) == 20
    agreements = [cell.agreement for cell in cells]
    assert agreements == sorted(agreements, reverse=True)
    assert all(cell.agreement > 0.99 for cell in cells if cell.row)
    assert all(cell.agreement < 0.8 for cell in cells if not cell.row)
    examples = choose_examples(cells)
    assert list(examples) == ["Best", "Median", "Worst"]
    assert examples["Worst"].row == 0
    picture = draw_agreement(fixed, cells)
    assert picture.shape == (*fixed.shape, 3)
    top, rest = picture[:CELL_PX].mean(axis=(0, 1)), picture[CELL_PX:].mean(axis=(0, 1))
    assert top[0] > rest[0]
    assert top[2] < rest[2]


def test_glass_and_flat_tissue_are_no_places_to_compare() -> None:
    fixed = tissue(0)
    assert measure_agreement(fixed, np.zeros_like(fixed)) == []
    assert measure_agreement(np.full_like(fixed, 0.5), fixed) == []
    assert choose_examples([]) == {}


def test_one_cell_is_named_once() -> None:
    cell = measure_agreement(tissue(0, (CELL_PX, CELL_PX)), tissue(0, (CELL_PX, CELL_PX)))
    assert list(choose_examples(cell)) == ["Best"]


@pytest.mark.parametrize("width", [7, 90, 640, 12345, 200_000])
@pytest.mark.parametrize("mpp", [0.1, 0.25, 3.0])
def test_a_scale_bar_is_round_and_fits(width: int, mpp: float) -> None:
    frame = Space("a", 100, width, (mpp, mpp)).frame
    bar = make_scale_bar(frame)
    assert 100 * LONGEST_SHARE * 0.39 < bar.percent <= 100 * LONGEST_SHARE
    number, unit = bar.label.split()
    assert f"{float(number):e}"[0] in "125"
    assert f"{float(number):e}"[1:8] == ".000000"
    assert unit in ("µm", "mm")
