"""A polynomial from colours to colours, fitted to averaged pictures."""

from __future__ import annotations

import numpy as np
import pytest
from tests.slides.memory_slide import draw_texture

from stainbridge.joint.colour_map import ColourMap
from stainbridge.types import Pixels

#: Grey levels of 255 that the fit may be off: ridge and rounding.
CLOSE = 1.5


def exchange(pixels: Pixels) -> Pixels:
    """Return the channels exchanged and inverted."""
    return 255 - pixels[::-1]


def square(pixels: Pixels) -> Pixels:
    """Return one channel, the square of the first."""
    return np.rint(np.square(pixels[:1] / 255.0) * 255).astype(np.uint8)


def average(pixels: Pixels, block_px: int) -> Pixels:
    channels, height, width = pixels.shape
    shape = (channels, height // block_px, block_px, width // block_px, block_px)
    return np.rint(pixels.reshape(shape).mean((2, 4))).astype(np.uint8)


@pytest.mark.parametrize("block_px", [1, 4])
def test_it_finds_a_linear_map_whatever_the_blocks(block_px: int) -> None:
    tiles = [draw_texture(3, 64, 64, seed=seed) for seed in range(3)]
    fitted = ColourMap.fit([(tile, exchange(tile)) for tile in tiles], block_px)
    other = draw_texture(3, 20, 30, seed=9)
    assert np.abs(fitted(other) - exchange(other)).max() < CLOSE


def test_it_finds_a_quadratic_map_to_another_number_of_channels() -> None:
    tile = draw_texture(2, 64, 64)
    fitted = ColourMap.fit([(tile, square(tile))], 1)
    other = draw_texture(2, 20, 30, seed=9)
    assert fitted(other).shape == (1, 20, 30)
    assert np.abs(fitted(other) - square(other)).max() < CLOSE


def test_it_is_fitted_to_averages() -> None:
    """A map that is no polynomial differs for pixels and for their averages."""
    tiles = [draw_texture(1, 128, 128, seed=seed) for seed in range(4)]
    steps = [np.where(tile > 128, 255, 0).astype(np.uint8) for tile in tiles]
    samples = list(zip(tiles, steps, strict=True))
    fine, coarse = (ColourMap.fit(samples, block_px) for block_px in (1, 16))
    shown, truth = average(tiles[0], 16), average(steps[0], 16).astype(float)
    assert np.abs(coarse(shown) - truth).mean() < np.abs(fine(shown) - truth).mean()


def test_colours_stay_in_their_range() -> None:
    tile = draw_texture(3, 32, 32)
    fitted = ColourMap.fit([(tile, np.where(tile > 128, 255, 0).astype(np.uint8))], 1)
    extremes = np.array([0, 255], np.uint8).repeat(3).reshape(2, 3).T[:, None]
    assert 0 <= fitted(extremes).min() <= fitted(extremes).max() <= 255


def test_rows_and_columns_beyond_the_last_block_are_left_out() -> None:
    tile = draw_texture(3, 35, 33)
    whole = tile[:, :32, :32]
    first, second = (ColourMap.fit([(part, exchange(part))], 8) for part in (tile, whole))
    np.testing.assert_array_equal(first.coefficients, second.coefficients)
