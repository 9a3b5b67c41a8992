"""From a slide to what the stages look at: tissue density, tissue region, on a small frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch
from torch import Tensor

from stainbridge.geometry.frame import Frame
from stainbridge.imaging.colour import tissue_density
from stainbridge.imaging.image import Image
from stainbridge.imaging.tissue import tissue_region
from stainbridge.slides.slide import Slide
from stainbridge.types import Mask, Plane


@dataclass(frozen=True, eq=False)
class Section:
    """One side of a registration at working resolution.

    `density` and `region` are (H, W) on `frame`; `outline` is the region grown by a margin, so that
    the border of the tissue is inside; `centre_um` and `radius_um` are of the smallest circle about
    the region's centroid.
    """

    frame: Frame
    density: Plane
    region: Mask
    outline: Mask
    centre_um: tuple[float, float]
    radius_um: float

    @property
    def area_um2(self) -> float:
        """Area of the tissue region."""
        return float(self.region.sum()) * self.frame.mpp[0] * self.frame.mpp[1]

    def normalised(self, points_um: Tensor) -> Tensor:
        """Points (..., 2) in µm to `grid_sample` coordinates of this frame: −1 and 1 are its outer
        edges.
        """
        origin = points_um.new_tensor(self.frame.origin_um)
        size = points_um.new_tensor(self.frame.size_um)
        return (points_um - origin) / size * 2 - 1

    def at(self, longest_px: int) -> tuple[Frame, Tensor, Tensor]:
        """Density and outline, each (1, 1, h, w) float32, on a coarser frame of the same extent."""
        frame, planes, outline = _shrunk(self, longest_px)
        return frame, planes[:, :1], outline

    def planes_at(self, longest_px: int) -> tuple[Frame, Tensor, Tensor]:
        """Density and edges, (1, 2, h, w), and outline, (1, 1, h, w), on a coarser frame of the
        same extent.
        """
        return _shrunk(self, longest_px)


@lru_cache(maxsize=32)
def _shrunk(section: Section, longest_px: int) -> tuple[Frame, Tensor, Tensor]:
    frame = section.frame.fit(longest_px)
    size = (frame.width, frame.height)
    density, edges, outline = (
        torch.tensor(cv2.resize(plane.astype(np.float32), size, interpolation=cv2.INTER_AREA))[
            None, None
        ]
        for plane in (section.density, _edges(section), section.outline)
    )
    return frame, torch.cat([density, edges], 1), outline


@lru_cache(maxsize=4)
def _edges(section: Section) -> Plane:
    """`edges_of` the density at working resolution; a coarser copy, averaged, says how much detail
    there was.
    """
    return edges_of(section.density.astype(np.float32))


def forget_shrunk() -> None:
    """Let go of the coarser copies that sections were seen in."""
    _shrunk.cache_clear()
    _edges.cache_clear()


def edges_of(density: Plane) -> Plane:
    """Root of the gradient magnitude, (H, W): structures that stains colour unlike have their
    borders in one place.
    """
    across, down = cv2.Sobel(density, cv2.CV_32F, 1, 0), cv2.Sobel(density, cv2.CV_32F, 0, 1)
    # not cv2.magnitude, whose last bit depends on where in memory the arrays lie
    return np.asarray(np.sqrt(np.hypot(across, down) / 8))


def section_of(slide: Slide, longest_px: int, mask: Image | None = None) -> Section | None:
    """Read a slide at working resolution; None when no tissue is found on it."""
    return section_of_image(slide.read(slide.frame.fit(longest_px)), mask)


def section_of_image(image: Image, mask: Image | None = None) -> Section | None:
    """Density and region of an overview; `mask` (1, h, w), not 0 where tissue may be used, is
    stretched over it.
    """
    density = tissue_density(image)
    if mask is not None:
        density = density * allowed_on(image.frame, mask)
    region = tissue_region(density)
    if not region.any():
        return None
    inside = image.frame.centres_um()[region.ravel()]
    centre = inside.mean(axis=0)
    radius = float(np.hypot(*(inside - centre).T).max())
    margin = max(2, int(0.08 * np.sqrt(region.sum())))
    outline = cv2.dilate(
        region.astype(np.uint8), np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)
    ).astype(bool)
    return Section(
        image.frame, density, region, outline, (float(centre[0]), float(centre[1])), radius
    )


def allowed_on(frame: Frame, mask: Image | None) -> Mask:
    """(H, W): where a mask (1, h, w), stretched over the frame, is not 0; everywhere without one."""
    if mask is None:
        return np.ones((frame.height, frame.width), bool)
    size = (frame.width, frame.height)
    return np.asarray(
        cv2.resize((mask.pixels[0] != 0).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        > 0
    )
