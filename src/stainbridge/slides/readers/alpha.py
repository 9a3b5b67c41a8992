"""Transparent pixels shown over a background."""

from __future__ import annotations

import cv2
import numpy as np

from stainbridge.slides.readers.resample import Interleaved


def blend_over_white(pixels: Interleaved, *, premultiplied: bool = False) -> Interleaved:
    """(H, W, C + 1) of an unsigned integer type, the last channel alpha, to (H, W, C) over white of
    the same type.
    """
    full = int(np.iinfo(pixels.dtype).max)
    return blend_over_colour(pixels, (full,) * (pixels.shape[2] - 1), premultiplied=premultiplied)


def blend_over_colour(
    pixels: Interleaved, background: tuple[int, ...], *, premultiplied: bool = False
) -> Interleaved:
    """(H, W, C + 1) of an unsigned integer type, the last channel alpha, to (H, W, C) over
    `background` (C values).
    """
    colour, alpha = pixels[..., :-1], pixels[..., -1:]
    full = np.iinfo(pixels.dtype).max
    if alpha.min(initial=full) == full:
        opaque = cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB) if pixels.shape[2] == 4 else colour
        return np.ascontiguousarray(opaque)
    cover = alpha.astype(np.float32) / full
    shown = colour if premultiplied else colour * cover
    return np.rint(
        np.minimum(shown + (1 - cover) * np.asarray(background, np.float32), full)
    ).astype(pixels.dtype)
