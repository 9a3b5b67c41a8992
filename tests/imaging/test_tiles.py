"""Overlapping tiles over a picture."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from stainbridge.imaging.tiles import TileAxis, TileGrid

INSIDE = [
    TileAxis.inside(1000, 256, 64, 8, 32),
    TileAxis.inside(90, 256, 64, 8, 32),
    TileAxis.inside(1001, 64, 17, 3, 16),
]
BEYOND = [
    TileAxis.beyond(1000, 160, 48, 32, 4),
    TileAxis.beyond(90, 160, 48, 32, 4),
    TileAxis.beyond(901, 256, 128, 128, 64),
]


def pixel_centres(start: int, stop: int, samples: int = 1) -> np.ndarray:
    """Positions of the centres of `samples` in each pixel."""
    return (np.arange(start * samples, stop * samples) + 0.5) / samples


@pytest.mark.parametrize("axis", [*INSIDE, *BEYOND])
@pytest.mark.parametrize("samples", [1, 2, 4])
def test_weights_sum_to_one_and_cover_everything(axis: TileAxis, samples: int) -> None:
    total = np.zeros(axis.length * samples)
    for index in range(axis.count):
        start, stop = axis.support(index)
        total[start * samples : stop * samples] += axis.weight(
            index, pixel_centres(start, stop, samples)
        )
    assert total == pytest.approx(1)


@pytest.mark.parametrize("axis", [*INSIDE, *BEYOND])
def test_a_tile_has_no_weight_outside_its_support_and_window(axis: TileAxis) -> None:
    everywhere = pixel_centres(0, axis.length)
    for index in range(axis.count):
        start, stop = axis.support(index)
        first, last = axis.window(index)
        weight = axis.weight(index, everywhere)
        assert not weight[:start].any()
        assert not weight[stop:].any()
        assert first <= np.flatnonzero(weight)[0]
        assert np.flatnonzero(weight)[-1] < last


@pytest.mark.parametrize("axis", [*INSIDE, *BEYOND])
def test_tiles_touch_where_they_weigh(axis: TileAxis) -> None:
    for place in range(0, axis.length, 7):
        centre = np.array([place + 0.5])
        weights = [float(axis.weight(index, centre)[0]) for index in range(axis.count)]
        touching = axis.tiles_at(place, place + 1)
        assert all(index in touching for index, weight in enumerate(weights) if weight > 0)


def test_tiles_inside_begin_at_multiples_of_the_step_and_are_of_one_size() -> None:
    axis = TileAxis.inside(1000, 256, 64, 8, 32)
    windows = [axis.window(index) for index in range(axis.count)]
    assert windows[0][0] == 0
    assert windows[-1][1] == axis.length >= 1000
    assert {stop - start for start, stop in windows} == {256}
    assert all(start % 8 == 0 for start, _ in windows)
    assert all(after[0] + 64 <= before[1] for before, after in pairwise(windows))


def test_a_side_shorter_than_a_tile_has_one() -> None:
    axis = TileAxis.inside(90, 256, 64, 8, 32)
    assert (axis.count, axis.window(0)) == (1, (0, 96))


def test_tiles_beyond_end_in_whole_periods() -> None:
    axis = TileAxis.beyond(1001, 160, 48, 32, 4)
    windows = [axis.window(index) for index in range(axis.count)]
    assert windows[0][0] == -48
    assert all((stop - start) % 4 == 0 for start, stop in windows)
    assert windows[-1][1] >= 1001 + 48


def test_a_grid_multiplies_the_weights_of_its_sides() -> None:
    grid = TileGrid(TileAxis.inside(100, 64, 16, 4, 8), TileAxis.inside(150, 64, 16, 4, 8))
    y = pixel_centres(0, grid.down.length)
    x = pixel_centres(0, grid.across.length)
    assert list(grid)[:2] == [(0, 0), (0, 1)]
    assert len(list(grid)) == grid.count
    assert sum(grid.weight(row, column, y, x) for row, column in grid) == pytest.approx(1)
    touching = set(grid.tiles_at(0, 40, 0, 1))
    assert touching == {(0, 0)}


@pytest.mark.parametrize("axis", BEYOND)
def test_a_shrunken_window_keeps_margin_and_phase(axis: TileAxis) -> None:
    for index in range(axis.count):
        first, last = axis.window(index)
        start, stop = axis.support(index)
        assert axis.shrink_window(index, start, stop) == (first, last)
        for begin, end in ((start + 7, stop), (start, stop - 9), (start + 20, stop - 41)):
            low, high = axis.shrink_window(index, begin, end)
            assert begin - low >= start - first
            assert high - end >= last - stop
            assert (low - first) % axis.period == (last - high) % axis.period == 0
            assert begin - low < start - first + axis.period
            assert high - end < last - stop + axis.period
