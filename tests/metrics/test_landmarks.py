from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.landmarks import Landmarks
from stainbridge.geometry.transform import Affine
from stainbridge.metrics.landmarks import (
    CaseErrors,
    ErrorSummary,
    acrobat_scores,
    anhir_scores,
    average_ranks,
    robustness,
    score_landmarks,
    summarise_case,
    summarise_errors,
    target_registration_errors,
)

FIXED = Space("fixed", height=300, width=400, mpp=(0.5, 0.5)).frame
MOVING = Space("moving", height=300, width=400, mpp=(0.25, 0.25)).frame


def landmarks(points_px: list[tuple[float, float]], frame: Frame) -> Landmarks:
    return Landmarks(
        np.array(points_px, float).reshape(-1, 2), tuple(map(str, range(len(points_px)))), frame
    )


def shift_um(dx: float, dy: float) -> Affine:
    return Affine(np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1.0]]), FIXED.space, MOVING.space)


def test_errors_are_reported_in_all_three_units_of_the_fixed_slide() -> None:
    fixed = landmarks([(0, 0), (100, 100)], FIXED)
    moving = landmarks(
        [(0, 0), (200, 200)], MOVING
    )  # the same physical places at half the pixel size
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


def test_before_a_slide_without_a_size_lies_pixel_on_pixel() -> None:
    unknown = Space("unknown", 400, 400, calibrated=False)
    transform = Affine(np.diag([2.0, 2.0, 1.0]), FIXED.space, unknown)
    places = [(10.0, 20.0), (300.0, 40.0)]
    scores = score_landmarks(transform, landmarks(places, FIXED), landmarks(places, unknown.frame))
    assert scores.before.tre_px.max == 0


def test_robustness_counts_only_landmarks_that_improved() -> None:
    assert robustness(np.array([1.0, 2, 3, 4]), np.array([0.5, 2, 4, 1])) == 0.5


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_spread_is_ordered(errors: list[float]) -> None:
    got = summarise_errors(np.array(errors))
    assert 0 <= got.median <= got.p90 <= got.max
    assert min(errors) <= got.mean * (1 + 1e-12)
    assert got.mean <= got.max * (1 + 1e-12)


def test_landmarks_that_do_not_correspond_are_refused() -> None:
    with pytest.raises(InputError, match="expected 3; got 2"):
        target_registration_errors(np.zeros((2, 2)), np.zeros((3, 2)))


def test_no_landmarks_are_refused() -> None:
    with pytest.raises(InputError, match="no landmarks"):
        score_landmarks(shift_um(0, 0), landmarks([], FIXED), landmarks([], MOVING))


# The hand-worked case: three cases of three landmarks; the second method has no result for the
# second case.
BEFORE = (np.array([0.03, 0.05, 0.1]), np.array([0.2, 0.2, 0.5]), np.array([0.01, 0.02, 0.03]))
GOOD = (np.array([0.01, 0.02, 0.2]), np.array([0.1, 0.3, 0.2]), np.array([0.01, 0.01, 0.04]))
GAPS = (np.array([0.005, 0.01, 0.02]), None, np.array([0.01, 0.01, 0.01]))


def cases(after: tuple[np.ndarray | None, ...]) -> list[CaseErrors]:
    return [summarise_case(*pair) for pair in zip(BEFORE, after, strict=True)]


def test_anhir_scores_are_those_worked_by_hand() -> None:
    scores = anhir_scores(cases(GOOD))
    assert (scores.cases, scores.missing) == (3, 0)
    assert scores.amrtre == pytest.approx((0.02 + 0.2 + 0.01) / 3)
    assert scores.mmrtre == pytest.approx(0.02)
    assert scores.amaxrtre == pytest.approx((0.2 + 0.3 + 0.04) / 3)
    assert scores.robustness == pytest.approx((2 / 3 + 2 / 3 + 1 / 3) / 3)


def test_a_missing_result_counts_as_unregistered_and_not_robust() -> None:
    scores = anhir_scores(cases(GAPS))
    assert (scores.cases, scores.missing) == (3, 1)
    assert scores.amrtre == pytest.approx((0.01 + 0.2 + 0.01) / 3)
    assert scores.robustness == pytest.approx((1 + 0 + 2 / 3) / 3)


def test_a_result_that_is_not_finite_is_missing() -> None:
    assert summarise_case(BEFORE[0], np.array([0.01, np.nan, 0.02])) == summarise_case(
        BEFORE[0], None
    )


def test_a_missing_result_cannot_be_robust() -> None:
    with pytest.raises(InputError, match="no robustness"):
        CaseErrors(ErrorSummary(1, 1, 1, 1), None, robustness=0.5)


def test_ranks_share_ties_and_a_missing_result_ranks_as_unregistered() -> None:
    ranks = average_ranks(
        {"good": cases(GOOD), "gaps": cases(GAPS), "none": cases((None, None, None))}
    )
    # medians: case 1 .02 .01 .05 -> 2 1 3; case 2 .2 .2 .2 -> all tied; case 3 .01 .01 .02 -> 1.5
    # 1.5 3
    assert ranks == {
        "good": pytest.approx((2 + 2 + 1.5) / 3),
        "gaps": pytest.approx((1 + 2 + 1.5) / 3),
        "none": pytest.approx((3 + 2 + 3) / 3),
    }


def test_methods_are_ranked_on_the_same_cases() -> None:
    with pytest.raises(InputError, match=r"got \[2, 3\]"):
        average_ranks({"all": cases(GOOD), "some": cases(GOOD)[:2]})


def test_acrobat_takes_the_90th_percentile_of_each_image() -> None:
    errors = [np.arange(11.0), np.full(4, 30.0), np.array([2.0])]
    scores = acrobat_scores([summarise_errors(some) for some in errors])
    assert (scores.images, scores.median_p90_um, scores.mean_p90_um) == (
        3,
        9,
        pytest.approx(41 / 3),
    )


@pytest.mark.parametrize("summary", [anhir_scores, acrobat_scores])
def test_no_cases_are_refused(summary: Callable[[list[object]], object]) -> None:
    with pytest.raises(InputError, match="expected at least one"):
        summary([])
