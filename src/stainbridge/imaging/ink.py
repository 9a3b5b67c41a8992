"""What is drawn on a slide or its picture and is not tissue: pen strokes, letters, scale bars, scan
borders.
"""

from __future__ import annotations

import cv2
import numpy as np

from stainbridge.types import Mask, Pixels, Plane

#: Darker than this in every colour is ink, a scan border or a letter; stained tissue seldom is.
BLACK = 40
#: Shares of the picture's longer side: a stroke is at least so long and at most so wide.
LONG, WIDE = 0.08, 0.05
#: Black specks up to this share of the longer side may be nuclei.
SPECK = 0.03
#: Mean optical density above glass that says a black speck lies in tissue.
STAINED = 0.12


def drawn(rgb: Pixels, density: Plane) -> Mask:
    """Pixels of ink in 8-bit `rgb` (3, H, W), (H, W) bool; `density` is its optical density above
    glass, (H, W).

    Black is ink, unless it is a speck amid stained tissue: a nucleus dark with chromogen. The
    colours of felt pens, which no common stain has so pure, are ink where they form strokes: long,
    narrow and solid.
    """
    black = np.asarray(rgb.max(axis=0) < BLACK)
    if black.any():
        black = _without_nuclei(black, density)
    coloured = pen_coloured(rgb)
    if coloured.any():
        coloured = _strokes(coloured)
    return _grown(black, 3) | _grown(coloured, 5)


def pen_coloured(rgb: Pixels) -> Mask:
    """Where 8-bit `rgb` (3, H, W) has the blue, green or red of a felt pen, (H, W) bool.

    Haematoxylin is more violet than blue ink, eosin and red chromogens let more blue through than
    red ink.
    """
    red, green, blue = (plane.astype(np.int16) for plane in rgb)
    is_blue = (red * 5 < blue * 3) & (red * 5 < green * 4) & (red < 140)
    is_green = (red * 10 < green * 7) & (blue * 10 < green * 9) & (red < 140)
    is_red = (green * 10 < red * 4) & (blue * 10 < red * 4) & (red > 100)
    return np.asarray(is_blue | is_green | is_red)


def _strokes(mask: Mask) -> Mask:
    """The pieces of `mask` that are long, narrow and solid."""
    longest = max(mask.shape)
    solid = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    depth = cv2.distanceTransform(solid, cv2.DIST_L2, 3)
    kept = np.zeros(count, bool)
    for index in range(1, count):
        left, top, width, height, area = stats[index]
        if max(width, height) < LONG * longest or width * width + height * height < 6 * area:
            continue
        box = slice(top, top + height), slice(left, left + width)
        inside = depth[box][labels[box] == index]
        # A ragged band is shallow for the area it has; along a stroke the mean depth is a quarter
        # of its width.
        kept[index] = 2 * inside.max() < WIDE * longest and inside.mean() > 0.35 * inside.max()
    return np.asarray(kept[labels])


def _without_nuclei(black: Mask, density: Plane) -> Mask:
    """`black` less its small pieces whose surroundings are stained."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(black.astype(np.uint8))
    speck = SPECK * max(black.shape)
    small = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) < max(4, speck)
    window = (2 * int(speck / 2) + 5,) * 2
    others = (~_grown(black, 5)).astype(np.float32)
    around = cv2.boxFilter(density * others, -1, window) / np.maximum(
        cv2.boxFilter(others, -1, window), 1e-3
    )
    return np.asarray(black & ~(small[labels] & (around > STAINED)))


def _grown(mask: Mask, size: int) -> Mask:
    if not mask.any():
        return mask
    return np.asarray(
        cv2.dilate(mask.astype(np.uint8), np.ones((size, size), np.uint8)).astype(bool)
    )
