"""Image: pixels and mask have the shape of their frame."""

from __future__ import annotations

import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Space
from stainbridge.imaging.image import Image

FRAME = Space("slide", 4, 6).frame


@pytest.mark.parametrize("channels", [1, 3, 7])
def test_any_number_of_channels_is_an_image(channels: int) -> None:
    pixels = np.zeros((channels, 4, 6), np.uint16)
    image = Image(pixels, FRAME, np.ones((4, 6), bool), "HE")
    assert image.pixels is pixels
    assert image.stain == "HE"


@pytest.mark.parametrize("shape", [(4, 6), (3, 6, 4), (4, 6, 3), (3, 4, 6, 1)])
def test_pixels_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"pixels do not match their frame; expected \(C, 4, 6\)"):
        Image(np.zeros(shape), FRAME, np.ones((4, 6), bool))


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match="valid mask does not match"):
        Image(np.zeros((3, 4, 6)), FRAME, np.ones((6, 4), bool))
