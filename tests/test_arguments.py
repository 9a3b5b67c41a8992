"""Arguments of the public functions are checked before anything is opened."""

from __future__ import annotations

import numpy as np
import pytest

from stainbridge.arguments import as_mask, check_mpp, check_number, check_whole
from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space


@pytest.mark.parametrize("value", ["2", True, 1j, [1]])
def test_what_is_no_number_is_named(value: object) -> None:
    for check in (check_number, check_whole):
        with pytest.raises(InputError, match=r"seed: not a (whole )?number"):
            check(value, "seed")


def test_none_is_no_number_and_no_mistake() -> None:
    assert check_number(None, "seed") is None
    assert check_whole(None, "seed") is None
    check_mpp(None, "mpp")


def test_a_fraction_is_a_number_but_not_a_whole_one() -> None:
    assert check_number(np.float32(0.5), "share") == 0.5
    with pytest.raises(InputError, match=r"not a whole number"):
        check_whole(0.5, "threads")


@pytest.mark.parametrize("mpp", [0, -1, np.inf, np.nan])
def test_a_pixel_size_is_above_0_and_finite(mpp: float) -> None:
    with pytest.raises(InputError, match=r"fixed_mpp: pixel size must be positive"):
        check_mpp(mpp, "fixed_mpp")


def test_a_mask_of_lower_resolution_covers_the_whole_slide() -> None:
    frame = Space("a", 400, 601).frame
    mask = np.zeros((100, 150), bool)
    mask[3, 4] = True
    image = as_mask(mask, frame, "fixed_mask")
    assert image is not None
    assert image.frame.size_um == pytest.approx(frame.size_um)
    assert np.argwhere(image.pixels[0]).tolist() == [[3, 4]]


@pytest.mark.parametrize(
    ("mask", "problem"),
    [
        (np.zeros((40, 60)), "empty"),
        (np.ones((40, 30)), "does not have the slide's shape"),
        (np.ones((40, 60, 3)), "not a mask"),
        (np.full((40, 60), "a"), "not a mask"),
    ],
)
def test_what_is_no_mask_of_the_slide_is_named(mask: np.ndarray, problem: str) -> None:
    frame: Frame = Space("a", 400, 600).frame
    with pytest.raises(InputError, match=problem):
        as_mask(mask, frame, "fixed_mask")
