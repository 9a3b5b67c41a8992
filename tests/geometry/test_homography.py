"""Homographies of four pairs, of more pairs, and the pairs that are refused."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Space
from stainbridge.geometry.homography import crosses_horizon, fit_homography
from stainbridge.geometry.transform import Projective
from stainbridge.types import Points

HE = Space("he", 20_000, 20_000, (0.5, 0.5))
IHC = Space("ihc", 20_000, 20_000, (0.5, 0.5))
CORNERS = np.array([[1000.0, 900], [8700, 1300], [9100, 8800], [700, 8100]])
LABELS = ("north", "east", "south", "west")


def truth(turn_deg: float = 40, perspective: float = 5e-6, flip: bool = False) -> Projective:
    cos = np.cos(np.radians(turn_deg))
    sin = np.sin(np.radians(turn_deg))
    matrix = np.array([[cos, -sin, 4000], [sin, cos, 100], [perspective, perspective / 2, 1]])
    return Projective(matrix @ np.diag([-1.0 if flip else 1.0, 1, 1]), HE, IHC)


def scatter(count: int, seed: int = 0) -> Points:
    return np.random.default_rng(seed).uniform(500, 9500, (count, 2))


@settings(max_examples=60)
@given(st.floats(0, 360), st.floats(-2e-5, 2e-5), st.booleans())
def test_four_pairs_are_mapped_exactly(turn_deg: float, perspective: float, flip: bool) -> None:
    wanted = truth(turn_deg, perspective, flip)
    fit = fit_homography(CORNERS, wanted(CORNERS), HE, IHC)
    elsewhere = scatter(20)
    np.testing.assert_allclose(fit.transform(elsewhere), wanted(elsewhere), atol=1e-4)
    np.testing.assert_allclose(fit.transform(CORNERS), wanted(CORNERS), atol=1e-6)
    assert not fit.is_outlier.any()
    assert fit.errors_um.max() < 1e-6


@pytest.mark.parametrize("rows", list(permutations(range(4)))[::5])
def test_the_order_of_the_pairs_does_not_matter(rows: tuple[int, ...]) -> None:
    wanted = truth()
    order = list(rows)
    fit = fit_homography(CORNERS[order], wanted(CORNERS)[order], HE, IHC)
    np.testing.assert_allclose(fit.transform(scatter(9)), wanted(scatter(9)), atol=1e-4)


def test_spaces_are_those_of_the_slides() -> None:
    fit = fit_homography(CORNERS, truth()(CORNERS), HE, IHC)
    assert (fit.transform.source, fit.transform.target) == (HE, IHC)


@pytest.mark.parametrize("flip", [False, True])
def test_crossed_quadrilaterals_are_refused(flip: bool) -> None:
    moved = truth(flip=flip)(CORNERS)[[0, 2, 1, 3]]
    with pytest.raises(InputError, match="crossed") as caught:
        fit_homography(CORNERS, moved, HE, IHC, labels=LABELS)
    assert caught.value.where == "ihc"
    assert "'north'" in str(caught.value)
    assert "exchanged" in caught.value.remedy


@pytest.mark.parametrize("side", ["he", "ihc"])
def test_a_corner_inside_the_triangle_of_the_others_is_refused(side: str) -> None:
    dented = CORNERS.copy()
    dented[2] = (3000, 3500)
    sides = (dented, CORNERS) if side == "he" else (CORNERS, dented)
    with pytest.raises(InputError, match="inside the triangle") as caught:
        fit_homography(*sides, HE, IHC, labels=LABELS)
    assert (caught.value.where, caught.value.got) == (side, "south")


@pytest.mark.parametrize("side", ["he", "ihc"])
def test_three_on_a_line_are_refused(side: str) -> None:
    flat = CORNERS.copy()
    flat[1] = (flat[0] + flat[2]) / 2 + (20, 0)
    sides = (flat, CORNERS) if side == "he" else (CORNERS, flat)
    with pytest.raises(InputError, match="on a line") as caught:
        fit_homography(*sides, HE, IHC, labels=LABELS)
    assert caught.value.where == side
    assert caught.value.got == "'north', 'east', 'south'"


@pytest.mark.parametrize("side", ["he", "ihc"])
def test_coinciding_pairs_are_refused(side: str) -> None:
    double = CORNERS.copy()
    double[3] = double[0] + 10
    sides = (double, CORNERS) if side == "he" else (CORNERS, double)
    with pytest.raises(InputError, match="coincide") as caught:
        fit_homography(*sides, HE, IHC, labels=LABELS)
    assert (caught.value.where, caught.value.got) == (side, "'north', 'west'")
    with pytest.raises(InputError, match="coincide"):
        fit_homography(CORNERS, np.full((4, 2), 7.0), HE, IHC)


@pytest.mark.parametrize("count", [0, 3])
def test_too_few_pairs_are_refused(count: int) -> None:
    with pytest.raises(InputError, match=r"too few landmarks.*at least 4"):
        fit_homography(CORNERS[:count], CORNERS[:count], HE, IHC)


def test_counts_must_match() -> None:
    with pytest.raises(InputError, match="one to one"):
        fit_homography(CORNERS, scatter(5), HE, IHC)


def test_more_pairs_have_the_least_squared_error() -> None:
    generator = np.random.default_rng(1)
    points = scatter(30)
    noisy = truth()(points) + generator.normal(0, 20, (30, 2))
    fit = fit_homography(points, noisy, HE, IHC)
    assert not fit.is_outlier.any()
    least = np.square(fit.errors_um).sum()
    for entry in ((0, 0), (0, 2), (1, 1), (2, 0)):
        for factor in (0.9995, 1.0005):
            matrix = fit.transform.matrix.copy()
            matrix[entry] *= factor
            missed = Projective(matrix, HE, IHC)(points) - noisy
            assert np.square(missed).sum() >= least * 0.9999


@pytest.mark.parametrize("count", [5, 6, 8, 9, 12, 30])
@pytest.mark.parametrize("flip", [False, True])
def test_a_wrong_pair_is_found_and_left_out(count: int, flip: bool) -> None:
    generator = np.random.default_rng(count)
    points = np.vstack([CORNERS, scatter(count - 4, seed=count)])
    moved = truth(flip=flip)(points) + generator.normal(0, 10, (count, 2))
    moved[2] += (2500, -1800)
    fit = fit_homography(points, moved, HE, IHC)
    assert np.flatnonzero(fit.is_outlier).tolist() == [2]
    inside = scatter(200, seed=9)
    missed = np.hypot(*(fit.transform(inside) - truth(flip=flip)(inside)).T)
    assert np.median(missed) < (40 if count > 5 else 100)
    assert fit.errors_um[2] > 2000


def test_four_that_remain_need_no_convex_quadrilateral() -> None:
    points = np.vstack([CORNERS[:3], [[6500.0, 3000], [3000.0, 7000]]])
    moved = truth(perspective=0)(points)
    moved[4] += 3000
    fit = fit_homography(points, moved, HE, IHC)
    assert np.flatnonzero(fit.is_outlier).tolist() == [4]
    np.testing.assert_allclose(fit.transform(points[:4]), moved[:4], atol=1e-6)


def test_several_wrong_pairs_are_found() -> None:
    generator = np.random.default_rng(4)
    points = scatter(20)
    moved = truth()(points) + generator.normal(0, 10, (20, 2))
    moved[[3, 8, 15]] = generator.uniform(500, 9500, (3, 2))
    fit = fit_homography(points, moved, HE, IHC)
    assert np.flatnonzero(fit.is_outlier).tolist() == [3, 8, 15]


def test_points_by_hand_are_no_outliers() -> None:
    """Sections stretch unevenly; nobody wants points left out for it."""
    points = scatter(12, seed=3)
    stretched = truth()(points + 60 * np.sin(points[:, ::-1] / 1500))
    assert not fit_homography(points, stretched, HE, IHC).is_outlier.any()


@pytest.mark.parametrize("count", [6, 15])
def test_points_that_agree_on_nothing_are_refused(count: int) -> None:
    with pytest.raises(InputError, match="do not agree"):
        fit_homography(scatter(count, seed=1), scatter(count, seed=2), HE, IHC)


@pytest.mark.parametrize("side", ["he", "ihc"])
def test_many_points_on_a_line_are_refused(side: str) -> None:
    points = scatter(7)
    line = points * (1, 0.001)
    sides = (line, points) if side == "he" else (points, line)
    with pytest.raises(InputError, match="one line") as caught:
        fit_homography(*sides, HE, IHC)
    assert caught.value.where == side


def test_same_points_give_the_same_bytes() -> None:
    points = scatter(20)
    moved = truth()(points)
    moved[3] += 3000
    first, second = (fit_homography(points, moved, HE, IHC).transform.matrix for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_the_horizon_is_seen() -> None:
    corners = HE.frame.corners_um
    assert not crosses_horizon(truth(perspective=5e-6), corners)
    assert crosses_horizon(truth(perspective=-1.5e-4), corners)
