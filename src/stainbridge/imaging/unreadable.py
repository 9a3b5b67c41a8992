"""Pixels that are NaN or infinite: they show nothing, and are left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stainbridge.imaging.image import Image


def hide_unreadable(image: Image) -> Image:
    """Return the image with pixels that are NaN or infinite set to 0 and not valid."""
    if image.pixels.dtype.kind != "f":
        return image
    finite = np.isfinite(image.pixels)
    if finite.all():
        return image
    pixels = np.where(finite, image.pixels, 0).astype(image.pixels.dtype)
    return replace(image, pixels=pixels, valid=image.valid & finite.all(axis=0))


def measure_unreadable(image: Image) -> float:
    """Return the share of an image's pixels that are NaN or infinite."""
    if image.pixels.dtype.kind != "f":
        return 0.0
    return 1.0 - float(np.isfinite(image.pixels).all(axis=0).mean())
