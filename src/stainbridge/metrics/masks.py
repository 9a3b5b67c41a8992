"""Check the masks that select which part of pictures or of a grid is scored."""

from __future__ import annotations

import numpy as np

from stainbridge.errors import InputError
from stainbridge.types import Mask


def select_mask(mask: Mask | None, size: tuple[int, ...]) -> Mask:
    """Return the mask, (H, W) of `size`, or one that selects everything where there is none.

    Raises `InputError` for another size, for an empty mask, and for anything but bool: 0 and 255
    would select pixels by their index.
    """
    if mask is None:
        return np.ones(size, bool)
    if mask.shape != size:
        raise InputError(
            "the mask does not have the size of what it selects from", expected=size, got=mask.shape
        )
    check_bool(mask)
    if not mask.any():
        raise InputError("the mask is empty", expected="at least one pixel inside")
    return mask


def check_bool(mask: Mask) -> None:
    """Raise `InputError` for a mask that is not of bool."""
    if mask.dtype != bool:
        raise InputError(
            "not a mask", expected="an array of bool", got=mask.dtype, remedy="pass mask > 0"
        )
