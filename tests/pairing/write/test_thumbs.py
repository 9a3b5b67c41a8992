from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
from tests.pairing.write.patches import draw_patch, make_patches

from stainbridge.pairing.write.thumbs import (
    OUTLINE,
    SIDE_PX,
    draw_strip,
    find_structured_crop,
    write_thumb,
)


def structured(place: slice, side: int = 896) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return a grey picture with noise in the square `place` alone."""
    picture = np.full((side, side, 3), 200, np.uint8)
    size = place.stop - place.start
    rng = np.random.default_rng(5)
    picture[place, place] = rng.integers(0, 256, (size, size, 1), np.uint8)
    return picture


def test_the_crop_is_where_both_pictures_have_structure() -> None:
    fixed = structured(slice(0, 64), 224)
    moving = structured(slice(0, 64), 224)
    moving[160:, 160:] = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    row, column = find_structured_crop(fixed, moving, 64)
    assert max(row, column) <= 1


def test_the_checkerboard_shows_the_crop_at_full_resolution() -> None:
    place = slice(448, 448 + SIDE_PX)
    picture = structured(place)
    strip = draw_strip(picture, picture)
    assert strip.shape == (SIDE_PX, 3 * SIDE_PX, 3)
    outlined = (strip[:, :SIDE_PX] == OUTLINE).all(axis=-1)
    rows, columns = np.nonzero(outlined)
    assert (rows.max() + 1 - rows.min(), columns.max() + 1 - columns.min()) == (56, 56)
    assert max(abs(rows.min() - 112), abs(columns.min() - 112)) <= 1
    top, left = (4 * int(places.min()) for places in (rows, columns))
    crop = picture[top : top + SIDE_PX, left : left + SIDE_PX]
    assert np.array_equal(strip[:, 2 * SIDE_PX :], crop)
    assert not (picture == OUTLINE).all(axis=-1).any()  # the pictures given stay as they were


def test_patches_smaller_than_a_thumbnail_are_enlarged() -> None:
    small = structured(slice(0, 64), 64)
    strip = draw_strip(small, small)
    assert strip.shape == (SIDE_PX, 3 * SIDE_PX, 3)


def test_a_thumbnail_is_a_jpeg_and_always_the_same(tmp_path: Path) -> None:
    patch = make_patches()[1]
    paths = [tmp_path / "thumbs" / f"{name}.jpg" for name in ("one", "two")]
    for path in paths:
        write_thumb(*draw_patch(patch), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with PIL.Image.open(paths[0]) as picture:
        assert (picture.format, picture.size) == ("JPEG", (3 * SIDE_PX, SIDE_PX))
