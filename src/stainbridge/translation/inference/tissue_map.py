"""Where on a slide there is something to translate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.slides.overview import read_overview
from stainbridge.slides.slide import Slide
from stainbridge.types import Mask, Pixels, Plane

#: Longer side of the overview on which tissue is looked for, in pixels.
OVERVIEW_PX = 1024
#: Density from which fat, mucus and scattered cells near tissue are no glass.
FAINT_DENSITY = 0.15
#: σ of the blur under which the density is compared with that, in pixels of the overview.
FAINT_BLUR_PX = 1.5
#: How near, as a share of the overview's longer side. Further away it may be dirt or uneven light.
NEAR_SHARE = 0.1
#: Pixels of the overview around tissue that count as much as the tissue.
FULL_WEIGHT_PX = 8.0
#: Pixels of the overview around tissue from which on nothing counts.
NO_WEIGHT_PX = 20.0
#: Least share of a sampled tile that is tissue.
SAMPLE_TISSUE_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class TissueMap:
    """Where a slide is tissue and where it is glass."""

    weight: Plane
    """(h, w): 1 on tissue and close to it, 0 on glass, falling off softly between."""
    frame: Frame
    """The frame of `weight`."""

    @classmethod
    def of_slide(cls, slide: Slide) -> Self:
        """Find the tissue of a slide; one without any counts as tissue all over."""
        overview = read_overview(slide, OVERVIEW_PX)
        region = overview.region
        if not overview.has_tissue:
            return cls(np.ones(region.shape, np.float32), overview.frame)
        near = _distance(region) < NEAR_SHARE * max(region.shape)
        blurred = cv2.GaussianBlur(overview.density, (0, 0), FAINT_BLUR_PX)
        faint = near & (blurred > FAINT_DENSITY)
        fall = (NO_WEIGHT_PX - _distance(region | faint)) / (NO_WEIGHT_PX - FULL_WEIGHT_PX)
        return cls(np.asarray(np.clip(fall, 0, 1), np.float32), overview.frame)

    def sample(self, frame: Frame) -> Plane:
        """Return the weights (H, W) at the pixels of a frame."""
        grid = np.meshgrid(self._positions(frame, axis=0), self._positions(frame, axis=1))
        return np.asarray(
            cv2.remap(self.weight, *grid, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        )

    def _positions(self, frame: Frame, axis: int) -> Plane:
        """Return the map's columns (axis 0) or rows (axis 1) at the pixel centres of `frame`."""
        count = (frame.width, frame.height)[axis]
        centres = frame.origin_um[axis] + (np.arange(count) + 0.5) * frame.mpp[axis]
        return np.asarray(
            (centres - self.frame.origin_um[axis]) / self.frame.mpp[axis] - 0.5, np.float32
        )


def read_tissue_tiles(
    slide: Slide, frame: Frame, tissue: TissueMap, side_px: int, count: int, seed: int
) -> list[Pixels]:
    """Read up to `count` squares (C, side, side) on the grid of `frame`, drawn from the tissue.

    They do not overlap and are at least half tissue; where there is none such, the one with most.
    """
    rows = max(1, frame.height // side_px)
    columns = max(1, frame.width // side_px)
    quarters = frame.crop(0, 0, columns * side_px, rows * side_px).at_mpp(
        (frame.mpp[0] * side_px / 4, frame.mpp[1] * side_px / 4)
    )
    shares = tissue.sample(quarters).reshape(rows, 4, columns, 4).mean((1, 3)).ravel()
    candidates = np.flatnonzero(shares >= SAMPLE_TISSUE_SHARE)
    if not len(candidates):
        candidates = np.array([shares.argmax()])
    drawn = np.random.default_rng(seed).permutation(candidates)[:count]
    corners = [
        (int(number) % columns * side_px, int(number) // columns * side_px)
        for number in sorted(drawn)
    ]
    return [slide.read(frame.crop(x, y, side_px, side_px)).pixels for x, y in corners]


def _distance(region: Mask) -> Plane:
    """Return the distance to the region in pixels, (h, w)."""
    return np.asarray(cv2.distanceTransform((~region).astype(np.uint8), cv2.DIST_L2, 5), np.float32)
