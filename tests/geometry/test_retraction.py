"""Glass drawn towards a piece: near glass stays, far glass finds room, nothing folds."""

from __future__ import annotations

import numpy as np

from stainbridge.geometry.frame import Space
from stainbridge.geometry.retraction import make_retraction
from stainbridge.types import Points

#: A grid that is finer than the one a retraction is kept on.
FRAME = Space("slide", 600, 1000, (2.0, 2.0)).frame
#: Where the piece ends, in µm: it is the left part of the slide.
BORDER_UM = 400.0
ROOM_UM = 300.0


def draw_near(points: Points, room_um: float = ROOM_UM) -> Points:
    mask = np.zeros((600, 1000), bool)
    mask[:, :200] = True
    return make_retraction(mask, FRAME, lambda found: np.full(len(found), room_um))(points)


def in_line(first_um: float, last_um: float, count: int = 50) -> Points:
    return np.stack([np.linspace(first_um, last_um, count), np.full(count, 555.0)], axis=1)


def test_the_piece_and_near_glass_stay() -> None:
    near = in_line(1, BORDER_UM + ROOM_UM / 2 - 8)
    assert np.allclose(draw_near(near), near)


def test_all_glass_finds_room_in_its_order() -> None:
    far = in_line(BORDER_UM, 1e6, 1000)
    moved = draw_near(far)
    assert (np.diff(moved[:, 0]) > 0).all()
    assert moved[:, 0].max() < BORDER_UM + ROOM_UM + 8
    assert np.allclose(moved[:, 1], 555)


def test_there_is_no_step_where_it_begins() -> None:
    points = in_line(BORDER_UM, BORDER_UM + 2 * ROOM_UM, 2000)
    steps = np.diff(draw_near(points)[:, 0])
    assert np.abs(np.diff(steps)).max() < 0.05 * np.diff(points[:, 0]).max()


def test_where_there_is_no_room_glass_stays_at_the_border() -> None:
    moved = draw_near(in_line(BORDER_UM, 1900), room_um=0.0)
    assert moved[:, 0].max() < BORDER_UM + 4 * max(FRAME.fit(256).mpp)


def test_a_piece_of_one_pixel_is_one() -> None:
    mask = np.zeros((600, 1000), bool)
    mask[300, 500] = True
    centre = np.array([1001.0, 601.0])
    points = centre + np.array([[700.0, 0], [0, -500.0], [-5000.0, 0]])
    moved = make_retraction(mask, FRAME, lambda found: np.full(len(found), 100.0))(points)
    assert (np.hypot(*(moved - centre).T) < 110).all()
