from __future__ import annotations

import numpy as np
import pytest

from stainbridge.geometry.flat import (
    Canvas,
    copy_flat,
    fill,
    flatten_one_colour,
    has_one_colour,
    is_flat,
    make_flat,
)

COLOUR = np.array([243, 240, 241], np.uint8)


def test_pixels_of_one_colour_take_no_memory() -> None:
    pixels = np.full((70, 90, 3), COLOUR)
    flat = flatten_one_colour(pixels)
    assert is_flat(flat)
    assert not np.shares_memory(flat, pixels)
    np.testing.assert_array_equal(flat, pixels)


@pytest.mark.parametrize("place", [(0, 0), (0, 89), (69, 0), (33, 45), (61, 61)])
@pytest.mark.parametrize("channel", [0, 2])
def test_one_other_pixel_anywhere_is_noticed(place: tuple[int, int], channel: int) -> None:
    pixels = np.full((70, 90, 3), COLOUR)
    pixels[(*place, channel)] += 1
    assert not has_one_colour(pixels)
    assert flatten_one_colour(pixels) is pixels


def test_a_copy_can_be_written_into() -> None:
    flat = make_flat(COLOUR, 4, 5)
    copy = copy_flat(flat)
    copy[1, 2] = 0
    assert not is_flat(copy)
    np.testing.assert_array_equal(flat, np.full((4, 5, 3), COLOUR))


def test_a_window_is_filled() -> None:
    pixels = np.zeros((6, 7, 3), np.uint8)
    fill(pixels[1:3, 2:5], COLOUR)
    assert (pixels[1:3, 2:5] == COLOUR).all()
    assert np.count_nonzero(pixels.any(axis=2)) == 6


TOP = (slice(0, 3), slice(0, 8))
BOTTOM = (slice(3, 6), slice(0, 8))


def test_a_canvas_of_one_colour_takes_no_memory() -> None:
    canvas = Canvas((6, 8, 3), np.uint8)
    canvas.fill(TOP, COLOUR)
    canvas.put(BOTTOM, make_flat(COLOUR, 3, 8))
    assert is_flat(canvas.pixels)
    np.testing.assert_array_equal(canvas.pixels, np.full((6, 8, 3), COLOUR))


@pytest.mark.parametrize("first", [TOP, BOTTOM])
def test_a_canvas_keeps_each_window_in_any_order(first: tuple[slice, slice]) -> None:
    other = BOTTOM if first is TOP else TOP
    pixels = np.arange(72, dtype=np.uint8).reshape(3, 8, 3)
    two_colours = Canvas((6, 8, 3), np.uint8)
    mixed = Canvas((6, 8, 3), np.uint8)
    two_colours.fill(first, COLOUR)
    mixed.fill(first, COLOUR)
    two_colours.fill(other, COLOUR - 1)
    mixed.put(other, pixels)
    assert (two_colours.pixels[first] == COLOUR).all()
    assert (two_colours.pixels[other] == COLOUR - 1).all()
    assert (mixed.pixels[first] == COLOUR).all()
    np.testing.assert_array_equal(mixed.pixels[other], pixels)
