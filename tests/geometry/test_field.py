"""Fields: derivatives are exact for linear displacements; folds have a Jacobian of 0 or less."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stainbridge.geometry.field import gradient, jacobian_determinant
from stainbridge.types import Field

slopes = st.floats(-0.9, 0.9)
spacings = st.tuples(st.floats(0.5, 20), st.floats(0.5, 20))


def linear(
    slope: tuple[float, float, float, float], spacing: tuple[float, float], shape: tuple[int, int]
) -> Field:
    """U = (a·x + b·y, c·x + d·y) on a grid (2, H, W)."""
    y, x = np.meshgrid(
        *(np.arange(n) * s for n, s in zip(shape, spacing[::-1], strict=True)), indexing="ij"
    )
    a, b, c, d = slope
    return np.stack([a * x + b * y, c * x + d * y]).astype(np.float32)


@given(st.tuples(slopes, slopes, slopes, slopes), spacings)
def test_linear_displacements_have_constant_derivatives(
    slope: tuple[float, float, float, float], spacing: tuple[float, float]
) -> None:
    a, b, c, d = slope
    field = linear(slope, spacing, (7, 9))
    du_dx, du_dy = gradient(field, spacing)
    assert du_dx.dtype == du_dy.dtype == np.float32
    np.testing.assert_allclose(
        du_dx, np.broadcast_to(np.array([a, c])[:, None, None], du_dx.shape), atol=1e-4
    )
    np.testing.assert_allclose(
        du_dy, np.broadcast_to(np.array([b, d])[:, None, None], du_dy.shape), atol=1e-4
    )
    expected = np.linalg.det([[1 + a, b], [c, 1 + d]])
    np.testing.assert_allclose(
        jacobian_determinant(field, spacing), np.full((7, 9), expected), atol=1e-3
    )


def test_a_shift_keeps_areas() -> None:
    shift = np.full((2, 5, 6), 12.5, np.float32)
    np.testing.assert_array_equal(jacobian_determinant(shift, (2.0, 3.0)), np.ones((5, 6)))


def test_a_fold_is_seen_where_it_is() -> None:
    x = np.arange(40, dtype=np.float32)
    field = np.zeros((2, 10, 40), np.float32)
    field[0] = -6 * np.exp(-((x - 20) ** 2) / 18)  # steeper than -1 on the left of the bump
    folded = jacobian_determinant(field, (1.0, 1.0)) <= 0
    assert not folded[:, :10].any()
    assert not folded[:, 30:].any()
    assert folded.any()
    assert (np.diff(x + field[0, 0])[np.flatnonzero(folded[0])] < 0.5).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1)])
def test_a_single_row_or_column_has_no_slope(shape: tuple[int, int]) -> None:
    field = np.ones((2, *shape), np.float32)
    np.testing.assert_array_equal(jacobian_determinant(field, (1.0, 1.0)), np.ones(shape))
