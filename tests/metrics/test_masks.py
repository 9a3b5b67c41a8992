"""Masks of another kind than bool are refused: as numbers they would pick pixels, not mark them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Space
from stainbridge.geometry.transform import Affine
from stainbridge.metrics.fields import score_jacobian
from stainbridge.metrics.images import score_images
from stainbridge.metrics.masks import select_mask
from stainbridge.metrics.segmentations import dice, score_masks
from stainbridge.metrics.stains import score_dab

FRAME = Space("slide", 30, 30, (1.0, 1.0)).frame
PICTURE = np.random.default_rng(0).integers(0, 255, (3, 30, 30)).astype(np.uint8)
NUMBERS = np.zeros((30, 30), np.uint8)
NUMBERS[5:25, 5:25] = 255


@pytest.mark.parametrize(
    "score",
    [
        lambda mask: score_masks(mask, mask),
        lambda mask: dice(NUMBERS > 0, mask),
        lambda mask: score_images(PICTURE, PICTURE, mask),
        lambda mask: score_dab(PICTURE, PICTURE, mask),
        lambda mask: score_jacobian(Affine(np.eye(3), FRAME.space, FRAME.space), FRAME, mask),
    ],
)
def test_numbers_are_no_mask(score: Callable[[np.ndarray], object]) -> None:
    with pytest.raises(
        InputError, match="not a mask; expected an array of bool; got uint8; pass mask > 0"
    ):
        score(NUMBERS)
    score(NUMBERS > 0)


def test_no_mask_is_all_of_it() -> None:
    assert select_mask(None, (4, 5)).all()
    assert select_mask(None, (4, 5)).shape == (4, 5)
    with pytest.raises(InputError, match="empty"):
        select_mask(np.zeros((4, 5), bool), (4, 5))
    with pytest.raises(InputError, match="size"):
        select_mask(np.ones((4, 5), bool), (5, 4))
