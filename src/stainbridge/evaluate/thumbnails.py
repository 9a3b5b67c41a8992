"""Thumbnails of a run: the tissue of both slides overlaid, before and after registration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image

from stainbridge.geometry.transform import Transform
from stainbridge.imaging.colour import tissue_density
from stainbridge.imaging.pictures import overlay
from stainbridge.slides.slide import Slide
from stainbridge.slides.warped import WarpedSlide
from stainbridge.types import Plane

#: Pixels along the longer side: as wide as a card of the page.
THUMBNAIL_PX = 240
#: JPEG quality, 1 to 95: a page holds hundreds of thumbnails.
JPEG_QUALITY = 72


def write_overlay(path: Path, fixed: Slide, moving: Slide, moving_from_fixed: Transform) -> None:
    """Write an overlay of tissue densities as JPEG; see `imaging.pictures.overlay`."""
    view = fixed.frame.fit(THUMBNAIL_PX)
    fixed_density = _clip(tissue_density(fixed.read(view)))
    warped_density = _clip(tissue_density(WarpedSlide(moving, moving_from_fixed).read(view)))
    picture = overlay(fixed_density, warped_density)
    PIL.Image.fromarray(picture).save(path, "JPEG", quality=JPEG_QUALITY)


def _clip(density: Plane) -> Plane:
    return np.clip(density, 0, 1)
