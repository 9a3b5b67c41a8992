"""Crumbs belong to the section beside them; sections of about one size stay pieces."""

from __future__ import annotations

import numpy as np
import pytest

from stainbridge.registration.pieces.grouping import Labels, group_crumbs


def draw(*boxes: tuple[int, int, int, int]) -> Labels:
    """Draw boxes (left, top, width, height), numbered from 1."""
    labels = np.zeros((100, 200), np.int32)
    for number, (left, top, width, height) in enumerate(boxes, 1):
        labels[top : top + height, left : left + width] = number
    return labels


SECTION = (10, 10, 60, 60)


def test_pieces_are_numbered_by_their_area() -> None:
    grouped = group_crumbs(draw((5, 5, 10, 50), SECTION, (120, 20, 30, 30)))
    assert grouped[40, 40] == 1
    assert grouped[30, 130] == 2


def test_a_crumb_belongs_to_the_section_beside_it() -> None:
    grouped = group_crumbs(draw(SECTION, (73, 40, 6, 6), (120, 20, 50, 50)))
    assert grouped[42, 75] == grouped[40, 40]
    assert grouped.max() == 2


def test_crumbs_of_crumbs_find_the_section() -> None:
    grouped = group_crumbs(draw(SECTION, (72, 40, 20, 20), (93, 44, 3, 3)))
    assert grouped.max() == 1


@pytest.mark.parametrize(
    ("other", "why"), [((120, 40, 6, 6), "too far"), ((73, 10, 60, 60), "too large")]
)
def test_what_is_far_or_large_is_a_piece(other: tuple[int, int, int, int], why: str) -> None:
    assert group_crumbs(draw(SECTION, other)).max() == 2, why


def test_no_tissue_has_no_pieces() -> None:
    assert group_crumbs(draw()).max() == 0
