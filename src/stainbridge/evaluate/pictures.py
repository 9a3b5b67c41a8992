"""Thumbnails: two slides on each other, before and after."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image

from stainbridge.geometry.transform import Transform
from stainbridge.imaging.colour import tissue_density
from stainbridge.slides.slide import Slide
from stainbridge.slides.warped import WarpedSlide

THUMBNAIL_PX = 240
QUALITY = 72


def write_overlay(path: Path, fixed: Slide, moving: Slide, moving_from_fixed: Transform) -> None:
    """A JPEG of the tissue's density: fixed alone magenta, moving alone green, both together dark."""
    view = fixed.frame.fit(THUMBNAIL_PX)
    still = np.clip(tissue_density(fixed.read(view)), 0, 1)
    warped = np.clip(tissue_density(WarpedSlide(moving, moving_from_fixed).read(view)), 0, 1)
    picture = np.rint(255 * np.stack([1 - warped, 1 - still, 1 - warped], axis=-1)).astype(np.uint8)
    PIL.Image.fromarray(picture).save(path, "JPEG", quality=QUALITY)
