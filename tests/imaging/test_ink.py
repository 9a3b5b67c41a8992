"""Black tissue is told from ink, borders and bars by its detail and its shape."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from stainbridge.imaging.ink import find_ink

SIDE = 400
Picture = npt.NDArray[np.uint8]


def draw_glass() -> Picture:
    return np.full((SIDE, SIDE), 240, np.uint8)


def shade(seed: int, spread: float) -> Picture:
    """Dark levels of pieces of a few pixels, (SIDE, SIDE)."""
    noise = np.random.default_rng(seed).normal(size=(SIDE, SIDE))
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    return (12 + spread * smooth / smooth.std()).clip(0, 39).astype(np.uint8)


def find(level: Picture) -> npt.NDArray[np.bool_]:
    rgb = level[None].repeat(3, 0)
    return find_ink(rgb, -np.log(np.maximum(level, 4) / 240).astype(np.float32))


@pytest.mark.parametrize("at", [(200, 200), (80, 330)])
@pytest.mark.parametrize("radius", [40, 120])
def test_black_with_detail_is_tissue(at: tuple[int, int], radius: int) -> None:
    y, x = np.mgrid[:SIDE, :SIDE]
    disc = np.hypot(x - at[0], y - at[1]) < radius
    level = np.where(disc, shade(1, 5.0), draw_glass())
    assert not find(level).any()
    assert find(np.where(disc, np.uint8(12), draw_glass()))[disc].all()


def test_a_border_is_none() -> None:
    level = draw_glass()
    level[:30], level[:, -20:] = 2, 2
    assert find(level)[level == 2].all()


@pytest.mark.parametrize("spread", [0.0, 5.0])
def test_a_stroke_is_ink_whatever_its_shade(spread: float) -> None:
    drawn = cv2.line(np.zeros((SIDE, SIDE), np.uint8), (60, 40), (330, 350), 1, 13) > 0
    level = np.where(drawn, shade(2, spread), draw_glass())
    assert find(level)[drawn].mean() > 0.95


@pytest.mark.parametrize("level", [50, 95])
def test_a_dark_grey_stroke_and_ring_are_ink_and_grey_tissue_is_not(level: int) -> None:
    """A black felt pen lets some light through."""
    blank = np.zeros((SIDE, SIDE), np.uint8)
    drawn = cv2.line(blank.copy(), (60, 40), (200, 350), 1, 9) > 0
    drawn |= cv2.circle(blank.copy(), (320, 100), 40, 1, 4) > 0
    tissue = cv2.circle(blank.copy(), (310, 280), 60, 1, -1) > 0
    picture = np.where(drawn | tissue, np.uint8(level), draw_glass())
    found = find(picture)
    assert found[drawn].all()
    assert not found[tissue].any()


@pytest.mark.parametrize("is_pure", [True, False])
def test_a_dull_red_stroke_is_ink_where_part_of_it_is_pure_red(is_pure: bool) -> None:
    """Red chromogen is as dull, and forms long narrow pieces too, but nowhere as pure."""
    drawn = cv2.line(np.zeros((SIDE, SIDE), np.uint8), (60, 40), (200, 350), 1, 9) > 0
    rgb = draw_glass()[None].repeat(3, 0)
    rgb[:, drawn] = np.array([[170], [80], [85]])
    pure = drawn & (np.arange(SIDE)[:, None] % 10 < 4) & is_pure
    rgb[:, pure] = np.array([[170], [60], [60]])
    density = -np.log(rgb.mean(axis=0) / 240).astype(np.float32)
    assert find_ink(rgb, density)[drawn].all() == is_pure
    assert find_ink(rgb, density)[drawn].any() == is_pure
