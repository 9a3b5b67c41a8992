"""A slide seen small, with its tissue."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import cv2
import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.imaging.colour import tissue_density
from stainbridge.imaging.image import Image
from stainbridge.imaging.tissue import tissue_region
from stainbridge.slides.slide import Slide
from stainbridge.types import Mask, Plane


@dataclass(frozen=True, eq=False)
class Overview:
    """A slide at low resolution: its picture, how much tissue is where, and where the tissue is.

    `slide_density`, `density` and `region` are computed when first asked for. A slide without
    tissue has an empty `region`: `has_tissue` tells, `require_tissue` raises.
    """

    image: Image
    """The picture, (C, H, W), on a frame of the whole slide."""
    where: str
    """The slide's path or name, for messages."""
    mask: Image | None = None
    """(1, h, w), not 0 where tissue may be used; stretched over the picture. None: everywhere."""

    @property
    def frame(self) -> Frame:
        """The frame of the picture and of every plane."""
        return self.image.frame

    @cached_property
    def allowed(self) -> Mask:
        """Where the mask allows tissue, (H, W)."""
        return stretch_mask(self.mask, self.frame)

    @cached_property
    def slide_density(self) -> Plane:
        """Tissue density of the picture, mask or no mask, (H, W); see `tissue_density`."""
        return tissue_density(self.image)

    @cached_property
    def density(self) -> Plane:
        """Tissue density, (H, W), 0 where the mask does not allow tissue."""
        return self.slide_density if self.mask is None else self.slide_density * self.allowed

    @cached_property
    def region(self) -> Mask:
        """The area that the allowed tissue covers, (H, W); see `tissue_region`."""
        return tissue_region(self.density)

    @property
    def has_tissue(self) -> bool:
        """Whether any tissue is found."""
        return bool(self.region.any())

    def require_tissue(self) -> Self:
        """Return this overview; raise `InputError` when no tissue is found."""
        if not self.has_tissue:
            raise InputError("no tissue found", where=self.where)
        return self


def read_overview(slide: Slide, longest_px: int, mask: Image | None = None) -> Overview:
    """Read a whole slide with its longer side at most `longest_px` pixels.

    `mask` (1, h, w) is not 0 where tissue may be used. Without tissue the region is empty.
    """
    return Overview(slide.read(slide.frame.fit(longest_px)), slide.info.path, mask)


def overview_of(image: Image, mask: Image | None = None) -> Overview:
    """Return the overview of a picture of a whole slide that is already read."""
    return Overview(image, image.frame.label, mask)


def stretch_mask(mask: Image | None, frame: Frame) -> Mask:
    """Return where a mask (1, h, w), stretched over `frame`, is not 0, as (H, W).

    Without a mask that is everywhere.
    """
    if mask is None:
        return np.ones((frame.height, frame.width), bool)
    size = (frame.width, frame.height)
    inside = (mask.pixels[0] != 0).astype(np.uint8)
    return np.asarray(cv2.resize(inside, size, interpolation=cv2.INTER_NEAREST) > 0)
