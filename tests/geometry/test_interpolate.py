"""Values between the nodes of a grid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import map_coordinates

from stainbridge.geometry.interpolate import interpolate_linear


@pytest.fixture
def planes() -> npt.NDArray[np.float32]:
    return np.random.default_rng(3).normal(size=(2, 7, 11)).astype(np.float32)


def test_interpolates_as_scipy_does_inside_and_around(planes: npt.NDArray[np.float32]) -> None:
    positions = np.random.default_rng(4).uniform(-6, 17, (500, 2))
    expected = [
        map_coordinates(plane, positions.T[::-1], np.float64, order=1, mode="nearest")
        for plane in planes
    ]
    np.testing.assert_allclose(interpolate_linear(planes, positions), expected, atol=1e-12)


def test_nodes_keep_their_values(planes: npt.NDArray[np.float32]) -> None:
    rows, columns = np.indices(planes.shape[1:]).reshape(2, -1)
    values = interpolate_linear(planes, np.stack([columns, rows], axis=1).astype(float))
    assert np.array_equal(values, planes.reshape(2, -1))


def test_a_grid_of_one_node_is_constant() -> None:
    positions = np.array([[-5.0, 2.0], [0.0, 0.0], [0.4, 9.0]])
    assert np.array_equal(interpolate_linear(np.full((1, 1, 1), 3.0), positions), [[3.0, 3.0, 3.0]])
