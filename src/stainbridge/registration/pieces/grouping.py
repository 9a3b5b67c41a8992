"""Which components of tissue are one piece: crumbs belong to the section they fell off."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int32]  # (H, W), 0 on glass

#: A component below this share of its neighbour's area is a crumb of it.
CRUMB_SHARE = 0.15
#: A crumb lies no farther from its section, as a share of that section's extent.
CRUMB_GAP = 0.12


def group_crumbs(labels: Labels) -> Labels:
    """Return the labels with crumbs joined to the section beside them, numbered by their area.

    Components are joined the smallest first, so that crumbs of crumbs find the section too.
    """
    grouped = labels.copy()
    areas = np.bincount(grouped.ravel())
    for number in np.argsort(areas[1:], kind="stable") + 1:
        section = _find_section(grouped, int(number))
        if section:
            grouped[grouped == number] = section
    return _number_by_area(grouped)


def _find_section(labels: Labels, number: int) -> int:
    """Return the nearest component that another one is a crumb of; 0 where it is a piece."""
    own = labels == number
    areas = np.bincount(labels.ravel())
    distance = cv2.distanceTransform((~own).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    best, nearest = 0, np.inf
    for other in np.flatnonzero(areas):
        if other in (0, number) or areas[number] > CRUMB_SHARE * areas[other]:
            continue
        gap = float(distance[labels == other].min())
        if gap < min(nearest, CRUMB_GAP * np.sqrt(areas[other])):
            best, nearest = int(other), gap
    return best


def _number_by_area(labels: Labels) -> Labels:
    """Return the labels numbered from 1, the largest area first."""
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    order = [number for number in np.argsort(-areas, kind="stable") if areas[number]]
    numbers = np.zeros(len(areas), np.int32)
    numbers[order] = np.arange(1, len(order) + 1)
    return numbers[labels]
