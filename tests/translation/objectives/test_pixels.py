"""Pixels as networks see them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stainbridge.errors import InputError
from stainbridge.translation.objectives.pixels import (
    match_channels,
    pixels_to_tensor,
    tensor_to_pixels,
)


def picture(height: int = 9, width: int = 12) -> np.ndarray:
    """(2, H, W): every pixel's row and column."""
    return np.stack(np.mgrid[:height, :width]).astype(np.uint8)


def test_grey_is_taken_for_rgb_and_nothing_else_is() -> None:
    grey = picture()[:1]
    assert np.array_equal(match_channels(grey, 3, "x"), np.repeat(grey, 3, axis=0))
    assert match_channels(grey, 1, "x") is grey
    with pytest.raises(InputError, match="x: wrong channels; expected 3 or grey; got 2"):
        match_channels(picture(), 3, "x")
    with pytest.raises(InputError, match="wrong channels; expected 1; got 3"):
        match_channels(np.repeat(grey, 3, axis=0), 1, "x")
    with pytest.raises(InputError, match="8 bits a channel; got uint16"):
        match_channels(grey.astype(np.uint16), 3, "x")


def test_scaling_and_back_is_exact() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    assert pixels_to_tensor(pixels).min() == -1
    assert pixels_to_tensor(pixels).max() == 1
    assert np.array_equal(tensor_to_pixels(pixels_to_tensor(pixels)), pixels)
    assert tensor_to_pixels(torch.tensor([[[-3.0, 3.0]]])).tolist() == [[[0, 255]]]
