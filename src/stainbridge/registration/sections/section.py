"""One side of a registration: tissue density and tissue region on a small frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
import torch
from torch import Tensor

from stainbridge.geometry.frame import Frame
from stainbridge.imaging.illumination.field import Illumination
from stainbridge.imaging.image import Image
from stainbridge.registration.sections.seam import LEAST_SEAM_PX, SEAM_PX, measure_seam
from stainbridge.slides.overview import Overview, read_tissue_overview
from stainbridge.slides.slide import Slide
from stainbridge.types import Mask, Plane

#: The outline is the region grown by this share of the square root of its area.
OUTLINE_MARGIN = 0.08
#: Least margin of the outline, in pixels.
MIN_MARGIN_PX = 2


@dataclass(frozen=True, eq=False)
class Section:
    """The tissue of one slide at working resolution.

    Coarser copies are made when they are first asked for and live as long as the section.
    """

    frame: Frame
    """The working grid around the tissue, in the slide's space."""
    density: Plane
    """Tissue density, (H, W), 0 on glass."""
    region: Mask
    """Where tissue is, (H, W)."""
    outline: Mask
    """The region grown by a margin, (H, W), so that the border of the tissue is inside."""
    centre_um: tuple[float, float]
    """Centroid of the region, (x, y)."""
    radius_um: float
    """Radius of the smallest circle about the centroid that holds the region."""
    illumination: Illumination
    """How the slide is lit."""
    unreadable: float = 0.0
    """Share of the pixels that were NaN or infinite."""
    known_seam: float | None = None
    """The seam, where another picture of the slide told; None: as this one shows it."""
    _levels: dict[int, tuple[Frame, Tensor, Tensor]] = field(
        default_factory=dict, init=False, repr=False
    )

    @property
    def area_um2(self) -> float:
        """Area of the tissue region."""
        return float(self.region.sum()) * self.frame.mpp[0] * self.frame.mpp[1]

    @property
    def tissue_um(self) -> float:
        """Diagonal of the box around the tissue region, the unit of errors in tissue units."""
        columns, rows = (np.flatnonzero(self.region.any(axis)) for axis in (0, 1))
        width, height = columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]
        return float(np.hypot(width * self.frame.mpp[0], height * self.frame.mpp[1]))

    def normalise(self, points_um: Tensor) -> Tensor:
        """Return points (..., 2) in µm as `grid_sample` coordinates, −1 and 1 at the edges."""
        origin = points_um.new_tensor(self.frame.origin_um)
        size = points_um.new_tensor(self.frame.size_um)
        return (points_um - origin) / size * 2 - 1

    def density_at(self, longest_px: int) -> tuple[Frame, Tensor, Tensor]:
        """Return density and outline, each (1, 1, h, w), on a coarser frame of the same extent."""
        frame, planes, outline = self.planes_at(longest_px)
        return frame, planes[:, :1], outline

    def planes_at(self, longest_px: int) -> tuple[Frame, Tensor, Tensor]:
        """Return density and edges, (1, 2, h, w), and outline, (1, 1, h, w), on a coarser frame."""
        if longest_px not in self._levels:
            self._levels[longest_px] = self._shrink(longest_px)
        return self._levels[longest_px]

    def _shrink(self, longest_px: int) -> tuple[Frame, Tensor, Tensor]:
        frame = self.frame.fit(longest_px)
        size = (frame.width, frame.height)
        density, edges, outline = (
            torch.tensor(cv2.resize(plane.astype(np.float32), size, interpolation=cv2.INTER_AREA))[
                None, None
            ]
            for plane in (self.density, self._edges, self.outline)
        )
        return frame, torch.cat([density, edges], 1), outline

    @cached_property
    def seam(self) -> float:
        """By how much tissue rather fits displaced along a straight cut; see `measure_seam`.

        It is 0 for small pictures: rows of few pixels resemble each other displaced, too.
        """
        if self.known_seam is not None:
            return self.known_seam
        frame, planes, _ = self.planes_at(SEAM_PX)
        size = (frame.width, frame.height)
        if max(size) < LEAST_SEAM_PX:
            return 0.0
        region = cv2.resize(self.region.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        return measure_seam(np.asarray(planes[0, 0].cpu().numpy()), region > 0.5)

    @cached_property
    def _edges(self) -> Plane:
        """Edges at working resolution; a coarser copy, averaged, says how much detail there was."""
        return measure_edges(self.density.astype(np.float32))


def measure_edges(density: Plane) -> Plane:
    """Return the root of the gradient magnitude, (H, W).

    Structures that two stains colour unlike have their borders in one place.
    """
    across = cv2.Sobel(density, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(density, cv2.CV_32F, 0, 1)
    # not cv2.magnitude, whose last bit depends on where in memory the arrays lie
    return np.asarray(np.sqrt(np.hypot(across, down) / 8))


def read_section(slide: Slide, longest_px: int, mask: Image | None = None) -> Section | None:
    """Read a slide's tissue at working resolution; None when no tissue is found on it.

    `longest_px` are the pixels along the longer side of the tissue's frame, whatever glass lies
    around it. `mask` (1, h, w) is not 0 where tissue may be used.
    """
    return make_section(read_tissue_overview(slide, longest_px, mask))


def make_section(overview: Overview) -> Section | None:
    """Return the section that an overview shows; None when no tissue is found on it."""
    if not overview.has_tissue:
        return None
    region = overview.region
    inside = overview.frame.centres_um()[region.ravel()]
    centre = inside.mean(axis=0)
    radius = float(np.hypot(*(inside - centre).T).max())
    margin = max(MIN_MARGIN_PX, int(OUTLINE_MARGIN * np.sqrt(region.sum())))
    kernel = np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)
    outline = cv2.dilate(region.astype(np.uint8), kernel).astype(bool)
    centre_um = (float(centre[0]), float(centre[1]))
    return Section(
        overview.frame,
        overview.density,
        region,
        outline,
        centre_um,
        radius,
        overview.illumination,
        overview.unreadable,
    )
