"""Tiles out of pictures."""

from __future__ import annotations

import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.translation.training.augment import TileCrop


def picture(height: int = 9, width: int = 12) -> np.ndarray:
    """(2, H, W): every pixel's row and column."""
    return np.stack(np.mgrid[:height, :width]).astype(np.uint8)


def test_a_cut_takes_its_square_and_turns_it() -> None:
    assert np.array_equal(TileCrop(3, 2, 4)(picture()), picture()[:, 2:6, 3:7])
    assert np.array_equal(
        TileCrop(3, 2, 4, turns=1)(picture())[0], np.rot90(picture()[0, 2:6, 3:7])
    )
    assert np.array_equal(
        TileCrop(3, 2, 4, mirrored=True)(picture())[1], picture()[1, 2:6, 3:7][:, ::-1]
    )


def test_drawn_cuts_reach_every_place_and_all_eight_ways_round() -> None:
    rng = np.random.default_rng(0)
    cuts = [TileCrop.draw(rng, 9, 12, 8, rotate_and_flip=True) for _ in range(400)]
    assert {(cut.x, cut.y) for cut in cuts} == {(x, y) for x in range(5) for y in range(2)}
    assert len({(cut.mirrored, cut.turns) for cut in cuts}) == 8
    straight = [TileCrop.draw(rng, 9, 12, 8, rotate_and_flip=False) for _ in range(20)]
    assert {(cut.mirrored, cut.turns) for cut in straight} == {(False, 0)}


def test_a_picture_smaller_than_a_tile_is_refused() -> None:
    with pytest.raises(
        InputError, match="smaller than a tile; expected at least 16 x 16; got 12 x 9"
    ):
        TileCrop.draw(np.random.default_rng(0), 9, 12, 16, rotate_and_flip=True)
