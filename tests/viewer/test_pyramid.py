from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.viewer.conftest import frame_of

from stainbridge.viewer.pyramid import NoSuchTileError, TilePyramid


@given(width=st.integers(1, 70_000), height=st.integers(1, 70_000))
def test_levels_halve_from_full_resolution_to_one_pixel(width: int, height: int) -> None:
    pyramid = TilePyramid(frame_of(width, height))
    assert pyramid.level_size(pyramid.last_level) == (width, height)
    assert pyramid.level_size(0) == (1, 1)
    for level in range(pyramid.last_level):
        finer = pyramid.level_size(level + 1)
        assert pyramid.level_size(level) == (-(-finer[0] // 2), -(-finer[1] // 2))


@given(width=st.integers(1, 3000), height=st.integers(1, 3000), down=st.integers(0, 4))
def test_the_tiles_of_a_level_cover_it_once(width: int, height: int, down: int) -> None:
    pyramid = TilePyramid(frame_of(width, height))
    level = max(0, pyramid.last_level - down)
    level_width, level_height = pyramid.level_size(level)
    columns, rows = -(-level_width // 256), -(-level_height // 256)
    tiles = [pyramid.tile_frame(level, x, y) for y in range(rows) for x in range(columns)]
    assert sum(tile.width * tile.height for tile in tiles) == level_width * level_height
    last = tiles[-1]
    step = 2 ** (pyramid.last_level - level)
    assert last.mpp == (0.5 * step, 0.5 * step)
    assert last.origin_um == ((columns - 1) * 256 * 0.5 * step, (rows - 1) * 256 * 0.5 * step)


@pytest.mark.parametrize(
    ("level", "column", "row"),
    [(-1, 0, 0), (11, 0, 0), (10, 4, 0), (10, 0, 3), (10, -1, 0), (10, 0, -1), (0, 1, 0)],
)
def test_tiles_that_are_not_on_the_slide_are_refused(level: int, column: int, row: int) -> None:
    pyramid = TilePyramid(frame_of(1000, 700))
    assert pyramid.tile_frame(10, 3, 2).width == 1000 - 3 * 256
    with pytest.raises(NoSuchTileError):
        pyramid.tile_frame(level, column, row)
