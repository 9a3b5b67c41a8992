"""Where the tissue is: a region mask that copes with faint stains, debris, ink, scale bars and scan
borders.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from skimage.filters import threshold_otsu

from stainbridge.types import Mask, Plane

#: The region has no finer detail than a picture of this longer side shows; larger ones are reduced
#: to it.
LONGEST_PX = 512
#: A straight line, in shares of the longer side: at least so long, at most so wide.
LINE_LENGTH, LINE_WIDTH = 0.2, 0.02
#: Density of a line's pixels at least.
LINE_DENSITY = 0.15


def tissue_region(
    density: Plane, smooth: float = 1 / 150, close: float = 0.03, keep: float = 0.02
) -> Mask:
    """The area a section covers, lumina and air spaces included, (H, W) bool.

    `density` as of `colour.tissue_density`. Lengths are shares of the longer side: `smooth` the
    blur before the threshold, `close` the gaps to bridge. Pieces below `keep` of the largest are
    debris; long straight horizontal and vertical lines are scale bars, cover-slip edges and rims of
    a scan. Empty when there is none.
    """
    height, width = density.shape
    factor = min(1.0, LONGEST_PX / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(_without_lines(density), size, interpolation=cv2.INTER_AREA)
    longest = max(size)
    blurred = cv2.GaussianBlur(small, (0, 0), max(0.8, longest * smooth))
    present = blurred[blurred > 0.02]
    if present.size < 16:
        return np.zeros(density.shape, bool)
    mask = blurred > 0.6 * min(float(threshold_otsu(present)), 0.5)
    pieces = _large_pieces(_without_bars(_filled(_closed(mask, longest * close / 2))), keep)
    whole = cv2.resize(pieces.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(whole > 0.5)


def _without_lines(density: Plane) -> Plane:
    """Density with 0 on straight horizontal and vertical lines that are thin and long."""
    present = (density > LINE_DENSITY).astype(np.uint8)
    lines = _rows(present) | _rows(np.ascontiguousarray(present.T)).T
    return np.where(lines, np.float32(0), density) if lines.any() else density


def _rows(present: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """1 on horizontal lines of `present` (0 or 1, (H, W)): long along the row and thin all along
    it.
    """
    length, width = (
        max(3, round(share * max(present.shape))) for share in (LINE_LENGTH, LINE_WIDTH)
    )
    row, column = np.ones((1, length), np.uint8), np.ones((width, 1), np.uint8)
    long = cv2.morphologyEx(present, cv2.MORPH_OPEN, row)
    if not long.any():
        return np.asarray(long, np.uint8)
    thin = long & (1 - cv2.morphologyEx(present, cv2.MORPH_OPEN, column))
    return np.asarray(cv2.morphologyEx(thin, cv2.MORPH_OPEN, row[:, : length // 2]), np.uint8)


def _closed(mask: Mask, radius: float) -> Mask:
    """Closing by a disc; distances take the same time whatever the radius."""
    margin = int(radius) + 2
    outside = np.pad(~mask, margin, constant_values=True).astype(np.uint8)
    grown = (cv2.distanceTransform(outside, cv2.DIST_L2, 5) <= radius).astype(np.uint8)
    closed = cv2.distanceTransform(grown, cv2.DIST_L2, 5) > radius
    return np.asarray(closed[margin:-margin, margin:-margin] | mask)


def _filled(mask: Mask) -> Mask:
    """The mask with its holes."""
    around = np.pad(mask.astype(np.uint8), 1)
    cv2.floodFill(around, None, (0, 0), 2)
    return np.asarray(around[1:-1, 1:-1] != 2)


def _without_bars(mask: Mask) -> Mask:
    """Drop pieces that are long and thin and straight: scale bars, cover-slip edges, scan borders."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    width, height, area = (
        stats[:, key] for key in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA)
    )
    bar = (np.maximum(width, height) > 12 * np.minimum(width, height)) & (
        area > 0.6 * width * height
    )
    return np.asarray(mask & ~bar[labels])


def _large_pieces(mask: Mask, keep: float) -> Mask:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return mask
    large = stats[:, cv2.CC_STAT_AREA] >= keep * stats[1:, cv2.CC_STAT_AREA].max()
    large[0] = False
    return np.asarray(large[labels])
