"""Gaps between blocks that were cut hard, painted over from what surrounds them.

Liu et al. 2022, "BCI: Breast Cancer Immunohistochemical Image Generation through Pyramid Pix2pix",
doi:10.1109/CVPRW56347.2022.00198, sec. 3.3, fill the black borders between their blocks with the
surrounding content.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import cv2
import numpy as np

from stainbridge.geometry.transform import Transform
from stainbridge.imaging.image import Image
from stainbridge.pairing.blocks import find_block_transform
from stainbridge.slides.mapped import MappedSlide
from stainbridge.slides.slide import Slide
from stainbridge.slides.warped import WarpedSlide
from stainbridge.types import Mask, Pixels

#: Radius in pixels of the surroundings that a painted pixel is made of.
RADIUS_PX = 3


def warp_moving(moving: Slide, transform: Transform) -> Slide:
    """Return the moving slide in the fixed one's space; gaps between blocks are painted over.

    Closing it closes `moving`.
    """
    warped = WarpedSlide(moving, transform)
    if find_block_transform(transform) is None:
        return warped
    return MappedSlide(warped, partial(paint_gaps, transform=transform))


def paint_gaps(image: Image, transform: Transform) -> Image:
    """Return a warped picture whose gaps are painted over, and valid.

    Pixels beyond the moving slide are no gap, and stay.

    Bertalmio et al. 2001, "Navier-Stokes, fluid dynamics, and image and video inpainting",
    doi:10.1109/CVPR.2001.990497: an even surrounding stays even.
    """
    gaps = _find_gaps(image, transform)
    if not gaps.any():
        return image
    return replace(image, pixels=_inpaint(image.pixels, gaps), valid=image.valid | gaps)


def _find_gaps(image: Image, transform: Transform) -> Mask:
    """Return where the transform of the picture's frame leads nowhere, (H, W)."""
    gaps = ~image.valid
    if gaps.any():
        centres = image.frame.centres_um()[gaps.ravel()]
        gaps[gaps] = ~np.isfinite(transform(centres)).all(axis=1)
    return np.asarray(gaps)


def _inpaint(pixels: Pixels, gaps: Mask) -> Pixels:
    """Paint over `gaps` (H, W) of pixels (C, H, W); RGB at once, other channels one by one."""
    mask = gaps.astype(np.uint8)
    if pixels.dtype == np.uint8 and len(pixels) == 3:
        picture = np.ascontiguousarray(np.moveaxis(pixels, 0, -1))
        return np.moveaxis(cv2.inpaint(picture, mask, RADIUS_PX, cv2.INPAINT_NS), -1, 0)
    painted = [
        cv2.inpaint(
            np.ascontiguousarray(channel, channel.dtype if channel.dtype.itemsize < 4 else "f4"),
            mask,
            RADIUS_PX,
            cv2.INPAINT_NS,
        )
        for channel in pixels
    ]
    return np.stack(painted).astype(pixels.dtype)
