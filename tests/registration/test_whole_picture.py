"""A picture of the whole moving slide is warped as the slide is, and keeps its kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Space
from stainbridge.geometry.transform import Affine
from stainbridge.geometry.warp import Interpolation
from stainbridge.registration.whole_picture import warp_picture


def warp(
    image: npt.NDArray[Any], dx: float, dy: float, interpolation: Interpolation = "linear"
) -> npt.NDArray[Any]:
    """Warp a picture where fixed (x, y) lies at moving (x + dx, y + dy), in pixels."""
    height, width = 60, 80
    fixed = Space("fixed", height, width, (0.5, 0.5)).frame
    moving = Space("moving", height, width, (0.5, 0.5)).frame
    matrix = np.eye(3)
    matrix[:2, 2] = dx * 0.5, dy * 0.5
    transform = Affine(matrix, fixed.space, moving.space)
    return warp_picture(image, transform, moving, fixed, interpolation=interpolation)


@pytest.mark.parametrize("shape", [(60, 80), (60, 80, 3), (3, 60, 80), (60, 80, 1)])
def test_an_image_is_warped_and_keeps_its_kind(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(1, 255, shape, np.uint8)
    warped = warp(image, 20, 10)
    assert warped.shape == shape
    assert warped.dtype == np.uint8
    rows = shape.index(60)
    columns = shape.index(80)
    lower = np.take(np.take(image, range(10, 60), rows), range(20, 80), columns)
    shown = np.take(np.take(warped, range(50), rows), range(60), columns)
    np.testing.assert_array_equal(shown, lower)
    assert np.take(warped, range(50, 60), rows).max() == 0  # nothing of the moving slide is there


def test_an_image_may_have_a_lower_resolution_than_the_slide() -> None:
    image = np.random.default_rng(0).integers(1, 255, (30, 40, 3), np.uint8)
    warped = warp(image, 20, 10)
    assert warped.shape == (30, 40, 3)
    np.testing.assert_array_equal(warped[:25, :30], image[5:, 10:])


def test_a_mask_keeps_its_values_with_nearest() -> None:
    labels = np.zeros((60, 80), np.uint16)
    labels[20:40, 30:50] = 700
    nearest = warp(labels, 10.4, 5.3, "nearest")
    assert nearest.dtype == np.uint16
    assert set(np.unique(nearest)) == {0, 700}
    assert set(np.unique(warp(labels, 10.4, 5.3))) > {0, 700}
    mask = warp(labels > 0, 10.4, 5.3, "nearest")
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, nearest > 0)


@pytest.mark.parametrize("shape", [(80, 60), (60, 80, 9), (60,), (2, 3, 60, 80)])
def test_an_image_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="image"):
        warp(np.zeros(shape, np.uint8), 0, 0)
