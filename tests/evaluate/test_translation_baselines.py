"""What a translation must beat."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.evaluate.translation import TilePixels
from stainbridge.evaluate.translation_baselines import (
    MEAN_COLOUR,
    NEAREST_NEIGHBOUR,
    TrainingMemory,
    describe_source,
)
from stainbridge.types import Pixels


def paint(colour: int, height: int = 16, width: int = 16) -> Pixels:
    return np.full((3, height, width), colour, np.uint8)


def tile(source: Pixels, target: Pixels) -> TilePixels:
    return TilePixels("tile", source, target)


def collect(*tiles: TilePixels) -> TrainingMemory:
    return TrainingMemory.collect([partial(_return, each) for each in tiles])


def _return(each: TilePixels) -> TilePixels:
    return each


def test_the_mean_colour_is_over_all_pixels_of_the_targets() -> None:
    small = tile(paint(0), paint(10))
    large = tile(paint(0, 16, 48), paint(50, 16, 48))
    methods = {method.name: method for method in collect(small, large).list_methods()}
    assert list(methods) == [MEAN_COLOUR, NEAREST_NEIGHBOUR]
    made = methods[MEAN_COLOUR].forward(paint(0, 5, 7))
    assert made.shape == (3, 5, 7)
    assert np.unique(made).tolist() == [40]


def test_the_nearest_neighbour_is_found_by_the_source_alone() -> None:
    memory = collect(tile(paint(0), paint(200)), tile(paint(255), paint(90)))
    assert np.array_equal(memory.copy_nearest(paint(40)), paint(200))
    assert np.array_equal(memory.copy_nearest(paint(230)), paint(90))


def test_where_things_are_counts_not_only_their_colour() -> None:
    left = paint(0)
    left[:, :, :8] = 200
    right = left[:, :, ::-1].copy()
    memory = collect(tile(left, paint(1)), tile(right, paint(2)))
    assert memory.copy_nearest(right)[0, 0, 0] == 2


def test_the_description_is_of_squares_means() -> None:
    picture = np.arange(3 * 16 * 16, dtype=np.uint16).reshape(3, 16, 16)
    picture = (picture % 251).astype(np.uint8)
    described = describe_source(picture).reshape(3, 8, 8)
    assert described[1, 2, 3] == pytest.approx(picture[1, 4:6, 6:8].mean())


def test_only_tiles_of_the_same_size_are_copied() -> None:
    memory = collect(tile(paint(0), paint(9)), tile(paint(255, 16, 20), paint(5, 16, 20)))
    assert memory.copy_nearest(paint(0, 16, 20)).shape == (3, 16, 20)
    with pytest.raises(InputError, match=r"no training tile of the size; got 20 x 30"):
        memory.copy_nearest(paint(0, 30, 20))


def test_nothing_to_learn_from() -> None:
    with pytest.raises(InputError, match="no training tiles"):
        TrainingMemory.collect([])
