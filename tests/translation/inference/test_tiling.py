"""Tiles that a network is shown."""

from __future__ import annotations

import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.translation.inference.tiling import least_tile, plan_axis, usual_tile


def pixel_centres(start: int, stop: int, factor: int = 1) -> np.ndarray:
    return (np.arange(start, stop) + 0.5) / factor


@pytest.mark.parametrize(
    ("length", "tile", "reach", "period"),
    [(1000, 256, 30, 4), (90, 256, 30, 4), (901, 512, 999, 64)],
)
def test_weights_sum_to_one_and_cover_everything(
    length: int, tile: int, reach: int, period: int
) -> None:
    axis = plan_axis(length, tile, reach, period)
    total = np.zeros(length)
    for index in range(axis.count):
        start, stop = axis.support(index)
        total[start:stop] += axis.weight(index, pixel_centres(start, stop))
    assert total == pytest.approx(1)


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_tiles_touch_where_they_weigh(factor: int) -> None:
    axis = plan_axis(1000, 256, 30, 4)
    for place in range(0, 1000 * factor, 7):
        centre = pixel_centres(place, place + 1, factor)
        weights = [float(axis.weight(i, centre)[0]) for i in range(axis.count)]
        touching = axis.tiles_at(place / factor, (place + 1) / factor)
        assert sum(weights) == pytest.approx(1)
        assert all(i in touching for i, weight in enumerate(weights) if weight > 0)


@pytest.mark.parametrize("period", [4, 32])
def test_a_network_sees_as_far_as_it_reaches_at_one_phase(period: int) -> None:
    axis = plan_axis(2000, 512, 60, period)
    for index in range(axis.count):
        (start, stop), (first, last) = axis.support(index), axis.window(index)
        assert first % period == 0
        assert (last - first) % period == 0
        assert last - first <= 512
        assert first <= start - 60
        assert last >= min(stop + 60, 2000 + 60)


def test_a_network_that_reaches_too_far_keeps_half_of_the_tile() -> None:
    axis = plan_axis(3000, 512, 1000, 256)
    assert axis.stride == 256
    assert axis.blend == axis.margin == 128
    assert {axis.window(index)[0] % 256 for index in range(axis.count)} == {128}


def test_tiles_that_are_too_small() -> None:
    with pytest.raises(InputError, match="expected at least 512; got 256"):
        plan_axis(1000, 256, 10, 256)
    assert least_tile(4) == 128


@pytest.mark.parametrize(
    ("reach", "period", "side"),
    [(90, 4, 1280), (206, 16, 1280), (702, 32, 2048), (1024, 256, 2048)],
)
def test_networks_that_reach_far_are_shown_more(reach: int, period: int, side: int) -> None:
    assert usual_tile(reach, period) == side
