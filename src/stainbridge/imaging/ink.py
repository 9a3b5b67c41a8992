"""Find what is drawn on a slide or its picture: pen strokes, letters, scale bars, scan borders."""

from __future__ import annotations

import cv2
import numpy as np

from stainbridge.types import Mask, Pixels, Plane

#: Ink, scan borders and letters are darker than this in every colour, of 255; tissue seldom is.
BLACK_LEVEL = 40
#: A black felt pen that lets some light through is darker than this, of 255, and grey: two of its
#: colours are less than so much apart.
GREY_LEVEL = 110
GREY_RANGE = 18
#: Share of a dull red stroke that has the pure red of a felt pen, at least.
LEAST_PURE_SHARE = 0.2
#: Length of a stroke, at least, as a share of the picture's longer side.
LEAST_STROKE_LENGTH = 0.08
#: Width of a stroke, at most, as a share of the longer side.
MAX_STROKE_WIDTH = 0.05
#: Mean depth of a stroke over its largest depth, at least; half of it for a straight band.
LEAST_STROKE_SOLIDITY = 0.35
#: Black specks up to this share of the longer side may be nuclei.
SPECK_SIZE = 0.03
#: Share of the picture that a black piece of tissue covers, at least; smaller ones are specks.
LEAST_BLACK_SHARE = 0.005
#: Standard deviation of the levels inside black tissue, at least, of 255; scan borders and scale
#: bars have next to none.
LEAST_BLACK_DETAIL = 2.0
#: Mean optical density above glass around a black speck from which it lies in tissue.
TISSUE_DENSITY = 0.12


def find_ink(rgb: Pixels, density: Plane) -> Mask:
    """Find the pixels of ink, (H, W), in 8-bit `rgb` (3, H, W).

    `density` is its optical density above glass, (H, W). Black is ink, except for specks in stained
    tissue: nuclei dark with chromogen; and for large pieces that show detail and are no strokes:
    tissue that is stained too densely. Dark grey, and colours of felt pens, which no common stain
    has so pure, are ink where they form strokes: long, narrow and solid.
    """
    black = np.asarray(rgb.max(axis=0) < BLACK_LEVEL)
    if black.any():
        black = _remove_nuclei(black & ~_find_black_tissue(black, rgb), density)
    strokes = np.zeros_like(black)
    pens = find_pen_colours(rgb)
    for candidates in (pens, _grow_red(pens, rgb), _find_dark_grey(rgb)):
        if candidates.any():
            strokes |= _select_strokes(candidates)
    return _dilate(black, 3) | _dilate(strokes, 5)


def find_pen_colours(rgb: Pixels) -> Mask:
    """Find where 8-bit `rgb` (3, H, W) has the blue, green or red of a felt pen, (H, W).

    Haematoxylin is more violet than blue ink. Eosin and red chromogens let more blue through than
    red ink.
    """
    red, green, blue = (plane.astype(np.int16) for plane in rgb)
    is_blue = (red * 5 < blue * 3) & (red * 5 < green * 4) & (red < 140)
    is_green = (red * 10 < green * 7) & (blue * 10 < green * 9) & (red < 140)
    is_red = (green * 10 < red * 4) & (blue * 10 < red * 4) & (red > 100)
    return np.asarray(is_blue | is_green | is_red)


def _grow_red(pens: Mask, rgb: Pixels) -> Mask:
    """Return the duller red, (H, W), of strokes that are the red of a felt pen in part."""
    red, green, blue = (plane.astype(np.int16) for plane in rgb)
    dull = (np.maximum(green, blue) * 20 < red * 11) & (red > 90)
    count, labels = cv2.connectedComponents(dull.astype(np.uint8))
    sizes, pure = (np.bincount(labels[mask], minlength=count) for mask in (dull, dull & pens))
    is_pen = pure > LEAST_PURE_SHARE * sizes
    is_pen[0] = False
    return np.asarray(is_pen[labels])


def _find_dark_grey(rgb: Pixels) -> Mask:
    brightest, darkest = rgb.max(axis=0), rgb.min(axis=0)
    return np.asarray((brightest < GREY_LEVEL) & (brightest - darkest < GREY_RANGE))


def _select_strokes(mask: Mask) -> Mask:
    """Select the pieces of `mask` that are long, narrow and solid."""
    longest = max(mask.shape)
    solid = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    depth = cv2.distanceTransform(solid, cv2.DIST_L2, 3)
    selected = np.zeros(count, bool)
    for index in range(1, count):
        left, top, width, height, area = stats[index]
        is_short = max(width, height) < LEAST_STROKE_LENGTH * longest
        if is_short or width * width + height * height < 6 * area:
            continue
        box = slice(top, top + height), slice(left, left + width)
        inside = depth[box][labels[box] == index]
        # A ragged band is shallow for its area; along a stroke the mean depth is a quarter of its
        # width.
        is_narrow = inside.max() < MAX_STROKE_WIDTH / 2 * longest
        selected[index] = is_narrow and inside.mean() > LEAST_STROKE_SOLIDITY * inside.max()
    return np.asarray(selected[labels])


def _find_black_tissue(black: Mask, rgb: Pixels) -> Mask:
    """Select the large pieces of `black` that show detail and are no strokes."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(black.astype(np.uint8))
    selected = np.zeros(len(stats), bool)
    level = rgb.max(axis=0)
    strokes = _select_strokes(black)
    is_large = stats[:, cv2.CC_STAT_AREA] >= LEAST_BLACK_SHARE * black.size
    is_large[0] = False
    for index in np.flatnonzero(is_large):
        left, top, width, height, _ = stats[index]
        box = slice(top, top + height), slice(left, left + width)
        piece = labels[box] == index
        inside = cv2.erode(np.pad(piece, 1).astype(np.uint8), np.ones((5, 5), np.uint8))[1:-1, 1:-1]
        levels = level[box][inside > 0]
        has_detail = levels.size > 0 and levels.std() >= LEAST_BLACK_DETAIL
        selected[index] = has_detail and not strokes[box][piece].any()
    return np.asarray(selected[labels])


def _remove_nuclei(black: Mask, density: Plane) -> Mask:
    """Remove the small pieces of `black` whose surroundings are stained."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(black.astype(np.uint8))
    speck = SPECK_SIZE * max(black.shape)
    small = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) < max(4, speck)
    window = (2 * int(speck / 2) + 5,) * 2
    others = (~_dilate(black, 5)).astype(np.float32)
    surroundings = cv2.boxFilter(density * others, -1, window) / np.maximum(
        cv2.boxFilter(others, -1, window), 1e-3
    )
    return np.asarray(black & ~(small[labels] & (surroundings > TISSUE_DENSITY)))


def _dilate(mask: Mask, size: int) -> Mask:
    if not mask.any():
        return mask
    return np.asarray(
        cv2.dilate(mask.astype(np.uint8), np.ones((size, size), np.uint8)).astype(bool)
    )
