"""Hard starts: where the pixels go, the landmarks go."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import center_of_mass

from stainbridge.evaluate.starts import (
    Start,
    disturb,
    draw_hard_start,
    draw_rotation_and_flip,
    list_starts,
)
from stainbridge.slides.memory import ArraySlide

WIDTH, HEIGHT = 260, 180
POINTS = np.array([[60.0, 50], [200, 60], [130, 90], [70, 130], [190, 120]])


def draw_dots(points: np.ndarray = POINTS) -> ArraySlide:
    """A white slide with a soft dark dot at each point."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    ink = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / 18) for px, py in points)
    return ArraySlide(
        np.repeat((250 - 220 * np.clip(ink, 0, 1)).astype(np.uint8)[None], 3, axis=0), mpp=0.5
    )


@pytest.mark.parametrize("index", range(6))
def test_landmarks_stay_on_what_they_mark(index: int) -> None:
    moved, points, kept = draw_hard_start(draw_dots(), POINTS, Start("hard", index, 6, 1), "a")
    assert points.shape == (kept.sum(), 2)
    assert not moved.frame.calibrated
    ink = 250.0 - moved.read(moved.frame).pixels[0]
    for x, y in points:
        top, left = int(y) - 6, int(x) - 6
        if top < 0 or left < 0:
            continue
        window = np.clip(ink[top : top + 13, left : left + 13], 0, None)
        cy, cx = center_of_mass(window)
        assert np.hypot(left + cx + 0.5 - x, top + cy + 0.5 - y) < 0.8


def test_a_start_is_the_same_for_every_method_and_another_for_every_case() -> None:
    start = Start("hard", 2, 6, 1)
    first, again = (draw_hard_start(draw_dots(), POINTS, start, "a") for _ in range(2))
    np.testing.assert_array_equal(
        first[0].read(first[0].frame).pixels, again[0].read(again[0].frame).pixels
    )
    assert (
        draw_hard_start(draw_dots(), POINTS, start, "b")[0].frame.size_um != first[0].frame.size_um
    )


def test_turns_are_spread_and_every_second_one_is_mirrored() -> None:
    placed = [
        draw_rotation_and_flip(index, 24, np.random.default_rng(index)) for index in range(24)
    ]
    assert [flip for _, flip in placed] == [False, True] * 12
    assert all(
        30 * (index // 2) <= degrees < 30 * (index // 2 + 1)
        for index, (degrees, _) in enumerate(placed)
    )


def test_a_single_start_may_be_mirrored() -> None:
    flips = [draw_rotation_and_flip(0, 1, np.random.default_rng(seed))[1] for seed in range(20)]
    assert 4 < sum(flips) < 16


def test_the_canvas_is_glass_and_the_crop_is_large() -> None:
    image = ArraySlide(np.full((3, HEIGHT, WIDTH), 90, np.uint8))
    for seed in range(5):
        disturbed = disturb(
            image.read(image.frame), POINTS, 37.0, False, np.random.default_rng(seed)
        )
        assert set(np.unique(disturbed.pixels[:, [0, -1]])) == {255}
        inside = (disturbed.pixels[0] < 200).sum() / (HEIGHT * WIDTH)
        assert 0.7 * 0.7**2 * 0.95 < inside < 1.4**2


def test_fluorescence_lies_on_black() -> None:
    slide = ArraySlide(np.full((5, 60, 70), 3000, np.uint16))
    moved, _, _ = draw_hard_start(slide, np.zeros((0, 2)), Start("hard", 1, 2, 0), "a")
    assert moved.read(moved.frame).pixels.shape[0] == 5
    assert moved.read(moved.frame).pixels[:, 0, 0].max() == 0


def test_kinds_of_starts() -> None:
    assert [start.name for start in list_starts(("given", "hard"), 2, 0)] == [
        "given",
        "hard-00",
        "hard-01",
    ]
    assert [start.name for start in list_starts(("hard",), 1, 0)] == ["hard-00"]
    assert [start.index for start in list_starts(("hard",), 5, 0, every=2)] == [0, 2, 4]
