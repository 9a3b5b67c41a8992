"""MIND-SSC: the definition written out pixel by pixel, and its invariances."""

from __future__ import annotations

import numpy as np
import torch
from tests.similarity.pictures import smooth

from stainbridge.similarity.mind import mind_distance, mind_ssc


def patch(x: np.ndarray, row: int, column: int, radius: int) -> np.ndarray:
    return x[row - radius : row + radius + 1, column - radius : column + radius + 1]


def by_hand(x: np.ndarray, row: int, column: int, radius: int, dilation: int) -> np.ndarray:
    """Return the four patch distances of one pixel."""
    up = (row - dilation, column)
    right = (row, column + dilation)
    down = (row + dilation, column)
    left = (row, column - dilation)
    pairs = [(up, right), (right, down), (down, left), (left, up)]
    return np.array([np.mean((patch(x, *a, radius) - patch(x, *b, radius)) ** 2) for a, b in pairs])


def test_descriptors_are_the_definition() -> None:
    x = smooth(1, 1, 24, 26, seed=1)
    got = mind_ssc(x, radius=2, dilation=3)[0].numpy()
    for row, column in ((8, 9), (12, 17), (15, 10)):
        distances = by_hand(x[0, 0].numpy(), row, column, 2, 3)
        distances -= distances.min()
        np.testing.assert_allclose(
            got[:, row, column], np.exp(-distances / distances.mean()), rtol=1e-6
        )


def test_gain_offset_and_inversion_change_nothing() -> None:
    x = smooth(1, 1, 30, 30, seed=2)
    torch.testing.assert_close(mind_ssc(3 - 2 * x), mind_ssc(x))
    assert float(mind_distance(x, 3 - 2 * x)) < 1e-20


def test_descriptors_and_distances_lie_between_zero_and_one() -> None:
    x, y = smooth(2, 1, 30, 30, seed=3), smooth(2, 1, 30, 30, seed=4)
    descriptors = mind_ssc(x)
    assert descriptors.shape == (2, 4, 30, 30)
    assert float(descriptors.min()) >= 0
    assert float(descriptors.max()) == 1
    assert ((mind_distance(x, y) > 0) & (mind_distance(x, y) < 1)).all()
