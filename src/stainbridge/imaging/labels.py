"""Label pictures: one whole number at each pixel, 0 where there is no class."""

from __future__ import annotations

import numpy as np

from stainbridge.errors import InputError
from stainbridge.types import Pixels


def take_labels(pixels: Pixels, where: object) -> Pixels:
    """Return the first channel (1, H, W) of a label picture (C, H, W).

    Other channels may repeat it. Raises `InputError`, which names `where`, for channels that
    differ and for fractions.
    """
    is_whole = np.issubdtype(pixels.dtype, np.integer)
    if not is_whole or (pixels != pixels[:1]).any():
        raise InputError(
            "not a label picture",
            where=where,
            expected="one channel of whole numbers, 0 outside",
            got=f"{len(pixels)} x {pixels.dtype}",
        )
    return pixels[:1]
