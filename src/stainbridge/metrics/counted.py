"""Masks that say which part of two pictures or of a grid is counted."""

from __future__ import annotations

import numpy as np

from stainbridge.errors import InputError
from stainbridge.types import Mask


def counted(mask: Mask | None, size: tuple[int, ...]) -> Mask:
    """The mask, (H, W) of `size`, or all of it where there is none.

    Raises `InputError` for another size, for anything but bool (0 and 255 would pick pixels by
    their number, not mark them), and for an empty mask.
    """
    if mask is None:
        return np.ones(size, bool)
    if mask.shape != size:
        raise InputError(
            "the mask does not have the size of what it is for", expected=size, got=mask.shape
        )
    check_bool(mask)
    if not mask.any():
        raise InputError("the mask is empty", expected="at least one pixel inside")
    return mask


def check_bool(mask: Mask) -> None:
    """Raise `InputError` for a mask that is not of bool."""
    if mask.dtype != bool:
        raise InputError(
            "not a mask", expected="an array of bool", got=mask.dtype, remedy="hand over mask > 0"
        )
