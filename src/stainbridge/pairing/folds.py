"""Find folds: places where a section lies doubled up, denser than any single layer of tissue.

Only dense folds are found. A pale fold looks like denser tissue; what it displaces shows in the
residual.
"""

from __future__ import annotations

import cv2
import numpy as np

from stainbridge.registration.sections.density import SlideDensity
from stainbridge.types import Mask, Plane

#: Mean density of a block from which it is folded. Of blocks of a single layer, on two generated
#: pairs, one in 100 reached 0.77 to 1.0, as the stain is. Folded ones had a median of 0.99 on the
#: densest slide, half of which is found, and of 0.75 and 0.8 on paler ones, where none is.
FOLD_DENSITY = 0.97
#: A fold's density over that of the slide's tissue, at least: densities are roots of absorbed
#: light, of which a fold absorbs twice as much.
FOLD_CONTRAST = 1.35
#: Blocks along the longer side of a patch; they are larger than glands' borders.
BLOCKS = 16


def find_folds(density: Plane, slide: SlideDensity) -> Mask:
    """Return which blocks of a patch of density (H, W) are folded, at most 16 along a side."""
    factor = max(1.0, max(density.shape) / BLOCKS)
    size = (max(1, round(density.shape[1] / factor)), max(1, round(density.shape[0] / factor)))
    means = cv2.resize(density, size, interpolation=cv2.INTER_AREA)
    section = slide.overview
    typical = float(np.median(section.density[section.region]))
    return np.asarray(means > max(FOLD_CONTRAST * typical, FOLD_DENSITY))
