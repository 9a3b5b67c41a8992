"""Points as arrays of the right shape, or a message that says what is wrong with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.types import Points


def check_points(points: Any, where: object = None) -> Points:
    """Return what a caller gave as points: (N, 2) of finite numbers, x before y.

    Raises `InputError` for another shape and for values that are not finite numbers, with the row
    of the first one.
    """
    array = as_points(points, where)
    finite = np.isfinite(array).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise InputError(
            "a point is not a pair of finite numbers",
            where=where,
            expected="numbers",
            got=f"{array[row].tolist()} in row {row}",
        )
    return array


def as_points(points: Any, where: object = None) -> Points:
    """Return `points` as (N, 2) float64; an empty list is no points, and values are not looked at.

    Raises `InputError` for another shape and for what cannot be read as numbers.
    """
    array = _as_numbers(points, where)
    if array.shape == (0,):
        return array.reshape(0, 2)
    if array.ndim != 2 or array.shape[1] != 2:
        raise _wrong_shape("(N, 2)", array, where)
    return array


def as_pairs(pairs: Any, where: object = None) -> npt.NDArray[np.float64]:
    """Return `pairs` as (..., 2) float64, raising `InputError` as `as_points` does."""
    array = _as_numbers(pairs, where)
    if array.ndim == 0 or array.shape[-1] != 2:
        raise _wrong_shape("(..., 2)", array, where)
    return array


def _as_numbers(values: Any, where: object) -> npt.NDArray[np.float64]:
    try:
        return np.asarray(values, float)
    except (TypeError, ValueError) as error:
        raise InputError(
            "points must be numbers", where=where, expected="(N, 2): x, y", got=error
        ) from error


def _wrong_shape(expected: str, array: npt.NDArray[np.float64], where: object) -> InputError:
    return InputError(
        "points have the wrong shape", where=where, expected=f"{expected}: x, y", got=array.shape
    )
