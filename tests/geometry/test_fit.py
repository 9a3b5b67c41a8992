from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stainbridge.errors import InputError
from stainbridge.geometry.fit import fit_affine, fit_landmarks, fit_similarity
from stainbridge.geometry.frame import Space
from stainbridge.geometry.transform import Affine

A = Space("a", 100, 100).frame
B = Space("b", 100, 100).frame
numbers = st.floats(-3, 3)


def similarity(scale: float, turn_rad: float, shift: tuple[float, float]) -> Affine:
    cos, sin = scale * np.cos(turn_rad), scale * np.sin(turn_rad)
    return Affine(
        np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]], [0, 0, 1]]), A.space, B.space
    )


@settings(max_examples=50)
@given(st.floats(0.2, 5), numbers, numbers, numbers)
def test_two_pairs_give_back_the_similarity(
    scale: float, turn_rad: float, dx: float, dy: float
) -> None:
    truth = similarity(scale, turn_rad, (dx * 100, dy * 100))
    points = np.array([[3.0, 80], [90, 20]])
    assert fit_landmarks(points, truth(points), A.space, B.space).matrix == pytest.approx(
        truth.matrix, abs=1e-8
    )


def test_three_pairs_give_back_an_affine_with_a_flip() -> None:
    truth = Affine(np.array([[-1.1, 0.2, 50], [0.1, 0.9, -7], [0, 0, 1]]), A.space, B.space)
    points = np.array([[0.0, 0], [100, 3], [40, 90]])
    got = fit_landmarks(points, truth(points), A.space, B.space)
    assert got.matrix == pytest.approx(truth.matrix)
    assert got.flip


def test_the_affine_of_noisy_points_has_the_least_squared_error() -> None:
    rng = np.random.default_rng(0)
    truth = similarity(1.2, 0.4, (10, -5))
    points = rng.uniform(0, 100, (30, 2))
    noisy = truth(points) + rng.normal(0, 1, (30, 2))
    got = fit_affine(points, noisy, A.space, B.space)
    residual = noisy - got(points)
    assert residual.mean(axis=0) == pytest.approx([0, 0], abs=1e-9)
    assert points.T @ residual == pytest.approx(np.zeros((2, 2)), abs=1e-7)


def test_points_on_a_line_are_refused() -> None:
    line = np.array([[0.0, 0], [10, 10], [20, 20]])
    with pytest.raises(InputError, match="one line"):
        fit_affine(line, line, A.space, B.space)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_pairs_are_refused(count: int) -> None:
    points = np.zeros((count, 2))
    with pytest.raises(InputError, match="at least 2"):
        fit_landmarks(points, points, A.space, B.space)


def test_coinciding_points_are_refused() -> None:
    same, apart = np.full((2, 2), 5.0), np.array([[0.0, 0], [1, 1]])
    with pytest.raises(InputError, match="coincide"):
        fit_similarity(same, apart, A.space, B.space)
    with pytest.raises(InputError, match="coincide"):
        fit_similarity(apart, same, A.space, B.space)


def test_counts_must_match() -> None:
    with pytest.raises(InputError, match="one to one"):
        fit_landmarks(np.zeros((3, 2)), np.zeros((4, 2)), A.space, B.space)


@pytest.mark.parametrize("fit", [fit_affine, fit_similarity, fit_landmarks])
def test_points_of_another_shape_are_refused(fit: Any) -> None:
    with pytest.raises(InputError, match=r"wrong shape; expected \(N, 2\)"):
        fit(np.zeros((4, 3)), np.zeros((4, 3)), A.space, B.space)
