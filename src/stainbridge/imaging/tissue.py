"""Find the tissue, in spite of faint stains, debris, ink, scale bars and scan borders."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.types import Mask, Plane

#: Larger planes are reduced to this many pixels along the longer side; the region has no finer
#: detail.
LONGEST_PX = 512
#: Length of a straight line, at least, as a share of the longer side.
LEAST_LINE_LENGTH = 0.2
#: Width of a straight line, at most, as a share of the longer side.
MAX_LINE_WIDTH = 0.02
#: Density of a line's pixels, at least.
LEAST_LINE_DENSITY = 0.15
#: Bars, lines and ink that cover this share of the picture together are tissue.
MOST_DRAWN_SHARE = 0.1
#: Density above which a pixel shows anything.
LEAST_DENSITY = 0.02
#: Pixels that must show something for there to be tissue.
LEAST_PIXELS = 16
#: Bins of the histogram that Otsu's method divides.
BINS = 256
#: Length over width from which a piece is a bar.
BAR_ELONGATION = 12
#: Share of its box that a bar fills, at least.
BAR_SOLIDITY = 0.6


def tissue_region(
    density: Plane, smooth: float = 1 / 150, close: float = 0.03, keep: float = 0.02
) -> Mask:
    """Return the area that a section covers, (H, W), with its lumina and air spaces.

    `density` is that of `colour.tissue_density`. Lengths are shares of the longer side: `smooth` is
    the blur before the threshold, `close` the widest gap to bridge. Pieces below `keep` of the
    largest are debris. Long straight horizontal and vertical lines are scale bars, cover-slip edges
    and borders of a scan. The mask is empty when there is no tissue.
    """
    height, width = density.shape
    factor = min(1.0, LONGEST_PX / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(_remove_lines(density), size, interpolation=cv2.INTER_AREA)
    longest = max(size)
    blurred = cv2.GaussianBlur(small, (0, 0), max(0.8, longest * smooth))
    present = blurred[blurred > LEAST_DENSITY]
    if present.size < LEAST_PIXELS:
        return np.zeros(density.shape, bool)
    mask = blurred > 0.6 * min(find_otsu_threshold(present), 0.5)
    pieces = close_region(mask, close, keep)
    whole = cv2.resize(pieces.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(whole > 0.5)


def close_region(mask: Mask, close: float, keep: float) -> Mask:
    """Return a mask (H, W) with gaps bridged and holes filled, without debris and bars.

    `close` and `keep` are those of `tissue_region`.
    """
    closed = _fill_holes(_close_gaps(mask, max(mask.shape) * close / 2))
    return _select_large_pieces(_remove_bars(closed), keep)


def find_otsu_threshold(values: npt.NDArray[np.float32]) -> float:
    """Return the threshold (N,) values fall apart at, by Otsu's method over 256 bins."""
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return low
    bins = np.minimum((values - low) * (BINS / (high - low)), BINS - 1).astype(np.uint8)
    last_low, _ = cv2.threshold(bins, 0, BINS - 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return float(low + (last_low + 0.5) / BINS * (high - low))


def _remove_lines(density: Plane) -> Plane:
    """Set the density to 0 on straight horizontal and vertical lines that are thin and long."""
    present = (density > LEAST_LINE_DENSITY).astype(np.uint8)
    horizontal = _find_horizontal_lines(present)
    lines = horizontal | _find_horizontal_lines(np.ascontiguousarray(present.T)).T
    is_drawn = 0 < lines.mean() < MOST_DRAWN_SHARE
    return np.where(lines, np.float32(0), density) if is_drawn else density


def _find_horizontal_lines(present: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return 1 on the horizontal lines of `present` (0 or 1, (H, W)) that are long and thin."""
    longest = max(present.shape)
    length = max(3, round(LEAST_LINE_LENGTH * longest))
    width = max(3, round(MAX_LINE_WIDTH * longest))
    row = np.ones((1, length), np.uint8)
    column = np.ones((width, 1), np.uint8)
    long = cv2.morphologyEx(present, cv2.MORPH_OPEN, row)
    if not long.any():
        return np.asarray(long, np.uint8)
    thin = long & (1 - cv2.morphologyEx(present, cv2.MORPH_OPEN, column))
    return np.asarray(cv2.morphologyEx(thin, cv2.MORPH_OPEN, row[:, : length // 2]), np.uint8)


def _close_gaps(mask: Mask, radius: float) -> Mask:
    """Close a mask with a disc; distance transforms take the same time for any radius."""
    margin = int(radius) + 2
    outside = np.pad(~mask, margin, constant_values=True).astype(np.uint8)
    dilated = (cv2.distanceTransform(outside, cv2.DIST_L2, 5) <= radius).astype(np.uint8)
    closed = cv2.distanceTransform(dilated, cv2.DIST_L2, 5) > radius
    return np.asarray(closed[margin:-margin, margin:-margin] | mask)


def _fill_holes(mask: Mask) -> Mask:
    """Add the mask's holes to it."""
    flooded = np.pad(mask.astype(np.uint8), 1)
    cv2.floodFill(flooded, None, (0, 0), 2)
    return np.asarray(flooded[1:-1, 1:-1] != 2)


def _remove_bars(mask: Mask) -> Mask:
    """Remove pieces that are long, thin and straight: scale bars, cover-slip edges, borders."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    width = stats[:, cv2.CC_STAT_WIDTH]
    height = stats[:, cv2.CC_STAT_HEIGHT]
    area = stats[:, cv2.CC_STAT_AREA]
    is_elongated = np.maximum(width, height) > BAR_ELONGATION * np.minimum(width, height)
    is_bar = is_elongated & (area > BAR_SOLIDITY * width * height)
    is_bar[0] = False
    if area[is_bar].sum() >= MOST_DRAWN_SHARE * mask.size:
        return mask
    return np.asarray(mask & ~is_bar[labels])


def _select_large_pieces(mask: Mask, keep: float) -> Mask:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return mask
    large = stats[:, cv2.CC_STAT_AREA] >= keep * stats[1:, cv2.CC_STAT_AREA].max()
    large[0] = False
    return np.asarray(large[labels])
