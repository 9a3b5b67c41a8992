"""Find folds: bands where a section lies doubled up, twice as dense as the tissue about them."""

from __future__ import annotations

import cv2
import numpy as np

from stainbridge.registration.sections.density import SlideDensity
from stainbridge.types import Mask, Plane

#: A fold's density over that of the slide's tissue, at least; twice the tissue absorbs twice as
#: much, and densities are its square root.
FOLD_CONTRAST = 1.35
#: Longest side in pixels at which folds are found.
FOLD_PX = 64


def find_folds(density: Plane, slide: SlideDensity) -> Mask:
    """Return where a patch of density (H, W) is folded, at most 64 pixels a side."""
    factor = max(1.0, max(density.shape) / FOLD_PX)
    size = (max(1, round(density.shape[1] / factor)), max(1, round(density.shape[0] / factor)))
    smooth = cv2.resize(density, size, interpolation=cv2.INTER_AREA)
    section = slide.overview
    tissue = section.density[section.region]
    typical = float(np.median(tissue))
    return np.asarray(smooth > max(FOLD_CONTRAST * typical, float(np.quantile(tissue, 0.98))))
