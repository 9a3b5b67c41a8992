"""Where the tissue is: a region mask that copes with faint stains, debris, ink, scale bars and scan borders."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.ndimage import binary_fill_holes
from skimage.filters import threshold_otsu

from stainbridge.types import Mask, Plane


def tissue_region(density: Plane, smooth: float = 1 / 150, close: float = 0.03, keep: float = 0.02) -> Mask:
    """The area a section covers, lumina and air spaces included, (H, W) bool.

    `density` as of `colour.tissue_density`. Lengths are shares of the longer side: `smooth` the blur before the
    threshold, `close` the gaps to bridge. Pieces below `keep` of the largest are debris. Empty when there is none.
    """
    longest = max(density.shape)
    blurred = cv2.GaussianBlur(density, (0, 0), max(0.8, longest * smooth))
    present = blurred[blurred > 0.02]
    if present.size < 16:
        return np.zeros(density.shape, bool)
    mask = (blurred > 0.6 * min(threshold_otsu(present), 0.5)).astype(np.uint8)
    size = max(3, int(longest * close) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    padded = cv2.morphologyEx(np.pad(mask, size), cv2.MORPH_CLOSE, kernel)[size:-size, size:-size]
    return _large_pieces(_without_bars(binary_fill_holes(padded)), keep)


def _without_bars(mask: Mask) -> Mask:
    """Drop pieces that are long and thin and straight: scale bars, cover-slip edges, scan borders."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    for index in range(1, count):
        width, height, area = (
            stats[index, cv2.CC_STAT_WIDTH],
            stats[index, cv2.CC_STAT_HEIGHT],
            stats[index, cv2.CC_STAT_AREA],
        )
        if max(width, height) > 12 * min(width, height) and area > 0.6 * width * height:
            mask = mask & (labels != index)
    return mask


def _large_pieces(mask: Mask, keep: float) -> Mask:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return mask
    area = stats[1:, cv2.CC_STAT_AREA]
    return np.asarray(np.isin(labels, 1 + np.flatnonzero(area >= keep * area.max())))
