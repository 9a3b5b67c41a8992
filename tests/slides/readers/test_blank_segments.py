from __future__ import annotations

import numpy as np

from stainbridge.geometry.flat import is_flat
from stainbridge.slides.readers.blank_segments import LARGEST_BYTES, MOST_KINDS, BlankSegments


def test_a_blank_tile_is_known_by_its_bytes() -> None:
    blanks = BlankSegments()
    glass = np.full((8, 8, 3), 240, np.uint8)
    assert blanks.find(b"glass") is None
    assert is_flat(blanks.keep(b"glass", glass))
    np.testing.assert_array_equal(blanks.find(b"glass"), glass)
    assert blanks.find(b"other") is None


def test_tissue_is_not_remembered() -> None:
    blanks = BlankSegments()
    tissue = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    assert blanks.keep(b"tissue", tissue) is tissue
    assert blanks.find(b"tissue") is None


def test_few_and_small_tiles_are_remembered() -> None:
    blanks = BlankSegments()
    blanks.keep(bytes(LARGEST_BYTES + 1), np.zeros((4, 4, 1), np.uint8))
    assert blanks.find(bytes(LARGEST_BYTES + 1)) is None
    for kind in range(MOST_KINDS + 5):
        blanks.keep(bytes([kind]), np.full((4, 4, 1), kind, np.uint8))
    known = [kind for kind in range(MOST_KINDS + 5) if blanks.find(bytes([kind])) is not None]
    assert known == list(range(MOST_KINDS))
