"""Pictures with structure at many scales, cheap to make and to shift."""

from __future__ import annotations

import cv2
import numpy as np

from stainbridge.types import Plane


def draw_texture(side: int, seed: int = 0) -> Plane:
    """Return densities (side, side), 0.5 to 1: blobs of several sizes with sharp borders."""
    rng = np.random.default_rng(seed)
    density = np.full((side, side), 0.5, np.float32)
    for sigma, step in ((12.0, 0.3), (5.0, 0.2)):
        noise = rng.normal(size=(side, side)).astype(np.float32)
        density += step * (cv2.GaussianBlur(noise, (0, 0), sigma) > 0)
    return cv2.GaussianBlur(density, (0, 0), 0.8)


def shift_texture(density: Plane, x: float, y: float) -> Plane:
    """Return the picture with what was at a place now at that place plus (x, y)."""
    size = (density.shape[1], density.shape[0])
    matrix = np.array([[1, 0, x], [0, 1, y]], float)
    return cv2.warpAffine(density, matrix, size, borderMode=cv2.BORDER_REFLECT)


def colour(density: np.ndarray) -> np.ndarray:
    """Return RGB (3, H, W) of tissue in the colours of haematoxylin and eosin."""
    absorbed = np.array([0.5, 0.9, 0.4])[:, None, None] * density
    return np.asarray(255 * np.exp(-absorbed), np.uint8)
