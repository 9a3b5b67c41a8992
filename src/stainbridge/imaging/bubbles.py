"""Find the edges of air bubbles under the cover glass: thin dark grey rings.

Walls of vessels are rings too, but stained. Rings drawn with a black pen are found as well.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.types import Mask, Pixels, Plane

#: Optical density of an edge above glass, at least: thin edges are blurred.
EDGE_DENSITY = 0.16
#: The brightest and the darkest colour of an edge are less than so much apart, of 255.
GREY_RANGE = 25
#: Diameter of a bubble, at least, as a share of the picture's longer side.
LEAST_SIZE = 0.07
#: Mean width of its edge, at most, as the same share.
MOST_WIDTH = 0.02
#: What an edge encloses, at least, as a share of all within its outer rim.
LEAST_HOLE = 0.65
#: A bubble's area over that of its convex hull, at least.
LEAST_SOLIDITY = 0.88
#: Points of the outer rim, at least.
LEAST_POINTS = 30

Contour = npt.NDArray[np.int32]  # (N, 1, 2), columns and rows


def find_bubble_edges(rgb: Pixels, density: Plane) -> Mask:
    """Find the edges of air bubbles, (H, W), in 8-bit `rgb` (3, H, W).

    `density` is its optical density above glass, (H, W).
    """
    is_grey = np.ptp(rgb, axis=0) < GREY_RANGE
    dark = (is_grey & (density > EDGE_DENSITY)).astype(np.uint8)
    closed = cv2.morphologyEx(dark, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    found = np.zeros(dark.shape, bool)
    if not closed.any():
        return found
    _, labels = cv2.connectedComponents(closed)
    longest = max(dark.shape)
    for outer, hole_area in _list_rings(closed):
        if not _is_round(outer, hole_area):
            continue
        column, row = outer[0, 0]
        piece = labels == labels[row, column]
        if piece.sum() < MOST_WIDTH * longest * cv2.arcLength(outer, True):
            found |= piece
    return np.asarray(cv2.dilate(found.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)


def _list_rings(mask: npt.NDArray[np.uint8]) -> Iterator[tuple[Contour, float]]:
    """Yield the outer rim of each piece as wide as a bubble, with the area of its largest hole."""
    contours, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    least = LEAST_SIZE * max(mask.shape)
    holes = np.zeros(len(contours))
    for contour, (*_, parent) in zip(contours, hierarchy[0], strict=True):
        if parent >= 0:
            holes[parent] = max(holes[parent], cv2.contourArea(contour))
    for number, contour in enumerate(contours):
        is_outer = hierarchy[0][number][3] < 0
        if is_outer and len(contour) >= LEAST_POINTS and max(cv2.boundingRect(contour)[2:]) > least:
            yield np.asarray(contour, np.int32), float(holes[number])


def _is_round(outer: Contour, hole_area: float) -> bool:
    """Whether an outer rim is that of a bubble, of whose area the hole is most."""
    area = cv2.contourArea(outer)
    hull = cv2.contourArea(cv2.convexHull(outer))
    return area > LEAST_SOLIDITY * hull and hole_area > LEAST_HOLE * area
