from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.landmarks import Landmarks
from stainbridge.geometry.transform import Affine
from stainbridge.metrics.landmarks import robustness, score_landmarks, spread, target_registration_errors

FIXED = Frame("fixed", height=300, width=400, mpp=(0.5, 0.5))
MOVING = Frame("moving", height=300, width=400, mpp=(0.25, 0.25))


def landmarks(points_px: list[tuple[float, float]], frame: Frame) -> Landmarks:
    return Landmarks(np.array(points_px, float).reshape(-1, 2), tuple(map(str, range(len(points_px)))), frame)


def shift_um(dx: float, dy: float) -> Affine:
    return Affine(np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1.0]]), FIXED, MOVING)


def test_errors_are_reported_in_all_three_units_of_the_fixed_slide() -> None:
    fixed = landmarks([(0, 0), (100, 100)], FIXED)
    moving = landmarks([(0, 0), (200, 200)], MOVING)  # the same physical places at half the pixel size
    scores = score_landmarks(shift_um(3, 4), fixed, moving)
    assert scores.n == 2
    assert scores.before.tre_um.max == 0
    assert scores.after.tre_um.median == pytest.approx(5)
    assert scores.after.tre_px.median == pytest.approx(10)
    assert scores.after.rtre.median == pytest.approx(5 / 250)
    assert scores.robustness == 0


def test_a_perfect_transform_has_no_error_and_full_robustness() -> None:
    fixed = landmarks([(10, 20), (300, 40), (50, 250)], FIXED)
    transform = shift_um(7, -2)
    moving = Landmarks(MOVING.to_px(transform(fixed.points_um)), fixed.labels, MOVING)
    scores = score_landmarks(transform, fixed, moving)
    assert scores.after.rtre.max < 1e-12
    assert scores.before.tre_um.mean == pytest.approx(np.hypot(7, 2))
    assert scores.robustness == 1


def test_robustness_counts_only_landmarks_that_improved() -> None:
    assert robustness(np.array([1.0, 2, 3, 4]), np.array([0.5, 2, 4, 1])) == 0.5


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_spread_is_ordered(errors: list[float]) -> None:
    got = spread(np.array(errors))
    assert 0 <= got.median <= got.p90 <= got.max
    assert min(errors) <= got.mean * (1 + 1e-12) and got.mean <= got.max * (1 + 1e-12)


def test_landmarks_that_do_not_correspond_are_refused() -> None:
    with pytest.raises(InputError, match="expected 3; got 2"):
        target_registration_errors(np.zeros((2, 2)), np.zeros((3, 2)))


def test_no_landmarks_are_refused() -> None:
    with pytest.raises(InputError, match="no landmarks"):
        score_landmarks(shift_um(0, 0), landmarks([], FIXED), landmarks([], MOVING))
