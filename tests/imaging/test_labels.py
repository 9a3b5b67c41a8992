"""Label pictures: whole numbers of one channel, which others may repeat."""

from __future__ import annotations

import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.imaging.labels import take_labels

LABELS = np.array([[[0, 1], [2, 300]]], np.uint16)


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_may_repeat_the_labels(channels: int) -> None:
    taken = take_labels(np.repeat(LABELS, channels, axis=0), "labels.png")
    np.testing.assert_array_equal(taken, LABELS)
    assert taken.dtype == np.uint16


@pytest.mark.parametrize(
    ("pixels", "got"),
    [
        (np.concatenate([LABELS, LABELS + 1]), "2 x uint16"),
        (LABELS.astype(np.float32), "1 x float32"),
    ],
)
def test_colours_and_fractions_are_no_labels(pixels: np.ndarray, got: str) -> None:
    with pytest.raises(InputError, match=rf"labels\.png: not a label picture.*got {got}"):
        take_labels(pixels, "labels.png")
