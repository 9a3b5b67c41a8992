"""Points of the wrong shape are refused, by the checker and by every transform."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Space
from stainbridge.geometry.points import as_points, check_points
from stainbridge.geometry.transform import Affine, DisplacementField, Projective, Transform

SPACE = Space("slide", 30, 40)
AFFINE = Affine(np.eye(3), SPACE, SPACE)
FIELD = DisplacementField(np.zeros((2, 30, 40), np.float32), SPACE.frame, SPACE, SPACE)
TRANSFORMS: dict[str, Transform] = {
    "affine": AFFINE,
    "homography": Projective(np.eye(3), SPACE, SPACE),
    "field": FIELD,
    "inverse field": FIELD.inverse(),
    "chain": FIELD.then(AFFINE),
}
WRONG: dict[str, Any] = {
    "three columns": [[1.0, 2.0, 3.0]],
    "one point alone": [1.0, 2.0],
    "x and y as rows": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]],
    "a picture of points": np.zeros((3, 4, 2)),
    "a number": 3.0,
}
wrong_points = pytest.mark.parametrize("points", WRONG.values(), ids=list(WRONG))


@wrong_points
@pytest.mark.parametrize("check", [as_points, check_points])
def test_another_shape_is_refused_with_the_right_one(check: Any, points: Any) -> None:
    with pytest.raises(InputError, match=r"wrong shape; expected \(N, 2\): x, y; got \(") as caught:
        check(points)
    assert isinstance(caught.value, ValueError)


@wrong_points
@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=list(TRANSFORMS))
def test_no_transform_maps_them(transform: Transform, points: Any) -> None:
    with pytest.raises(InputError, match="wrong shape"):
        transform(points)


@pytest.mark.parametrize("points", [[[1.0, 2.0, 3.0]], [1.0, 2.0, 3.0], 1.0])
def test_a_frame_refuses_other_than_pairs(points: Any) -> None:
    for convert in (SPACE.frame.to_um, SPACE.frame.to_px):
        with pytest.raises(InputError, match="wrong shape"):
            convert(points)


@pytest.mark.parametrize("points", [[["a", "b"]], [[1, 2], [3]], [[object(), 1]]])
def test_what_is_no_number_is_refused(points: Any) -> None:
    with pytest.raises(InputError, match=r"annotations\.csv: points must be numbers"):
        check_points(points, where="annotations.csv")


@pytest.mark.parametrize("value", [np.nan, np.inf, None])
def test_a_value_that_is_not_finite_is_refused_with_its_row(value: float | None) -> None:
    with pytest.raises(InputError, match=r"finite numbers; .* in row 1$"):
        check_points([[1, 2], [3, value]])


def test_lists_and_integers_become_arrays_and_an_empty_list_no_points() -> None:
    assert check_points([[1, 2], [3, 4]]).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert check_points([]).shape == check_points(np.empty((0, 2))).shape == (0, 2)
    given = np.array([[1.0, 2.0]])
    assert check_points(given) is given
