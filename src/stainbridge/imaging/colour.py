"""From a picture in any stain to one plane that says how much tissue is where."""

from __future__ import annotations

import cv2
import numpy as np

from stainbridge.imaging.image import Image
from stainbridge.types import Plane

#: Darker than this in every colour is ink, a scan border or a letter, not stained tissue.
BLACK = 40


def optical_density(rgb: np.ndarray, white: float = 255.0) -> np.ndarray:
    """Beer-Lambert: −ln(I / white) of (C, H, W) intensities, clipped at I = 4 where cameras stop being linear."""
    return np.asarray(-np.log(np.clip(rgb, 4, white, dtype=np.float32) / np.float32(white)))


def is_brightfield(image: Image) -> bool:
    """Whether light passes through the slide: 8-bit RGB whose valid pixels are mostly not near black."""
    if image.pixels.shape[0] != 3 or image.pixels.dtype != np.uint8:
        return False
    grey = image.pixels.mean(0)[image.valid]
    return bool(grey.size == 0 or np.median(grey) > 60)


def tissue_density(image: Image) -> Plane:
    """(H, W) float32: 0 on background, about 1 on dark tissue, whatever the stain; ≤ 1.2.

    Bright field: the square root of the optical density above the slide's own background (the root keeps faint
    counterstain visible beside DAB). Dark field: the brightest channel after hot pixels are removed.
    Ink and scan borders (black in all colours) and pixels that are not valid are background.
    """
    if is_brightfield(image):
        density = optical_density(image.pixels).mean(0)
        ignore = ~image.valid | cv2.dilate((image.pixels.max(0) < BLACK).astype(np.uint8), np.ones((3, 3))).astype(bool)
        density = np.clip(density - _background(density[~ignore]), 0, None)
    else:
        density, ignore = _fluorescence(image), ~image.valid
    density[ignore] = 0
    return _normalised(np.sqrt(density))


def _background(density: np.ndarray) -> float:
    """The mode of the lower part of the histogram: bare glass, however tinted."""
    if density.size == 0:
        return 0.0
    counts, edges = np.histogram(density, 256, (0, 1.5))
    smooth = np.convolve(counts, np.ones(5) / 5, "same")
    low = max(2, int(np.searchsorted(np.cumsum(counts), 0.7 * density.size)))
    return float(edges[int(np.argmax(smooth[:low]))])


def _fluorescence(image: Image) -> np.ndarray:
    planes = [cv2.medianBlur(plane.astype(np.float32), 3) for plane in image.pixels]
    scaled = []
    for plane in planes:
        low, high = np.percentile(plane[image.valid], (5, 99.5)) if image.valid.any() else (0.0, 1.0)
        scaled.append(np.clip((plane - low) / max(high - low, 1e-6), 0, 1.5))
    return np.asarray(np.max(scaled, axis=0))


def _normalised(density: np.ndarray) -> Plane:
    tissue = density[density > 0.02]
    if tissue.size == 0:
        return density.astype(np.float32)
    high = np.percentile(tissue[tissue >= np.median(tissue)], 90)
    return np.asarray(np.clip(density / max(float(high), 1e-3), 0, 1.2), np.float32)
