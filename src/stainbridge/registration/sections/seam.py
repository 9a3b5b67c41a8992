"""Seam: a straight cut through a slide's tissue, along which one side is displaced.

A row of tissue looks like the next row but one where both lie. Across the border of two bands that
were stitched wrongly it does not; where they lie not too far apart, it does so after a shift. One
slide shows that by itself, so that it does not matter how little two stains share.
"""

from __future__ import annotations

import cv2
import numpy as np

from stainbridge.registration.sections.broken_rows import measure_break
from stainbridge.registration.sections.displaced_rows import measure_displacement
from stainbridge.types import Mask, Plane

#: Longest side in pixels of the density that seams are looked for in.
SEAM_PX = 512
#: Pictures with a longer side below this are not looked at: their rows hold too few pixels.
LEAST_SEAM_PX = 200
#: Rows of pictures below this resemble each other displaced, too: of 32 genuine sections of 256 px
#: one does by 4.2 deviations, of 64 of 512 and 768 px none by more than 2.9.
LEAST_DISPLACED_PX = 400
#: What a break counts for as a displacement: genuine sections have so much less of it.
BREAK_WEIGHT = 1.25
#: Standard deviation in pixels of the surroundings that a pixel is compared with.
SURROUNDINGS_PX = 20.0
#: A pixel differs from its surroundings by at most so many of their standard deviations. In smooth
#: tissue, as of brains, edges of holes and cracks would otherwise outweigh all else in a row. Of 90
#: such pictures 10 seem displaced with it, 26 without; of 238 that are, 119 and 121.
MOST_DEVIATIONS = 2.0


def measure_seam(density: Plane, region: Mask) -> float:
    """Return how clearly tissue is displaced along rows or columns of the picture.

    By how much rows rather fit displaced, or fit less than all near them, at the worst place, in
    standard deviations of the chance that unlike rows resemble each other. `density` and `region`
    are (H, W). It is 0 where there is too little tissue.
    """
    inside = cv2.erode(region.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    detail = _normalise(density, inside)
    is_large = max(density.shape) >= LEAST_DISPLACED_PX
    measures = []
    for plane, mask in ((detail, inside), (detail.T, inside.T)):
        measures.append(BREAK_WEIGHT * measure_break(plane, mask))
        if is_large:
            measures.append(measure_displacement(plane, mask))
    return max(measures)


def _normalise(density: Plane, inside: Mask) -> Plane:
    """Return the density less its surroundings', over their spread; 0 outside the tissue.

    It is within `MOST_DEVIATIONS`.
    """
    mask = inside.astype(np.float32)
    plane = np.ascontiguousarray(density, np.float32)
    weight = np.maximum(cv2.GaussianBlur(mask, (0, 0), SURROUNDINGS_PX), 1e-3)
    detail = (plane - cv2.GaussianBlur(plane * mask, (0, 0), SURROUNDINGS_PX) / weight) * mask
    spread = cv2.GaussianBlur(detail * detail, (0, 0), SURROUNDINGS_PX) / weight
    deviations = detail / np.sqrt(spread + 1e-4) * mask
    return np.asarray(deviations.clip(-MOST_DEVIATIONS, MOST_DEVIATIONS), np.float32)
