"""Show transparent pixels over a background."""

from __future__ import annotations

import cv2
import numpy as np

from stainbridge.slides.readers.resample import Interleaved


def hide_transparent(pixels: Interleaved) -> Interleaved:
    """Return (H, W, C) of a mask (H, W, C + 1), whose last channel is alpha.

    Pixels that are wholly transparent are 0; the others keep their value, which may be a label.
    """
    return np.ascontiguousarray(pixels[..., :-1] * (pixels[..., -1:] > 0).astype(pixels.dtype))


def blend_over_white(pixels: Interleaved, *, premultiplied: bool = False) -> Interleaved:
    """Return (H, W, C) over white of pixels (H, W, C + 1), whose last channel is alpha.

    The type is an unsigned integer and stays the same.
    """
    full = int(np.iinfo(pixels.dtype).max)
    return blend_over_colour(pixels, (full,) * (pixels.shape[2] - 1), premultiplied=premultiplied)


def blend_over_colour(
    pixels: Interleaved, background: tuple[int, ...], *, premultiplied: bool = False
) -> Interleaved:
    """Return (H, W, C) over `background` (C values) of pixels (H, W, C + 1), the last one alpha.

    The type is an unsigned integer and stays the same.
    """
    colour = pixels[..., :-1]
    alpha = pixels[..., -1:]
    full = np.iinfo(pixels.dtype).max
    if alpha.min(initial=full) == full:
        opaque = cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB) if pixels.shape[2] == 4 else colour
        return np.ascontiguousarray(opaque)
    opacity = alpha.astype(np.float32) / full
    shown = colour if premultiplied else colour * opacity
    blended = shown + (1 - opacity) * np.asarray(background, np.float32)
    return np.rint(np.minimum(blended, full)).astype(pixels.dtype)
