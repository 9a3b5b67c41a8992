"""Where on a slide there is something to translate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.imaging.colour import tissue_density
from stainbridge.imaging.tissue import tissue_region
from stainbridge.slides.slide import Slide
from stainbridge.types import Mask, Pixels, Plane

OVERVIEW_PX = 1024
#: As far from tissue as the last, a share of the overview's longer side, what is denser than the
#: first, blurred by the second in pixels, is no glass either: fat, mucus, scattered cells. Further
#: away it may be dirt or uneven light.
FAINT, BLUR_PX, NEAR = 0.15, 1.5, 0.1
#: Around tissue everything counts as far as the first, and nothing beyond the second, in pixels of
#: the overview.
KEPT_PX, GONE_PX = 8.0, 20.0


@dataclass(frozen=True, eq=False)
class TissueMap:
    """`weight`, (h, w) on `frame`: 1 on tissue and close to it, 0 on glass, falling off softly
    between.
    """

    weight: Plane
    frame: Frame

    @classmethod
    def of(cls, slide: Slide) -> Self:
        """Found on an overview; a slide on which no tissue is found counts as tissue all over."""
        overview = slide.read(slide.frame.fit(OVERVIEW_PX))
        density = tissue_density(overview)
        region = tissue_region(density)
        if not region.any():
            return cls(np.ones(region.shape, np.float32), overview.frame)
        near = _distance(region) < NEAR * max(region.shape)
        faint = near & (cv2.GaussianBlur(density, (0, 0), BLUR_PX) > FAINT)
        weight = np.clip((GONE_PX - _distance(region | faint)) / (GONE_PX - KEPT_PX), 0, 1)
        return cls(np.asarray(weight, np.float32), overview.frame)

    def on(self, frame: Frame) -> Plane:
        """The weights (H, W) of a frame's pixels."""
        x, y = (self._places(frame, axis) for axis in (0, 1))
        grid = np.meshgrid(x, y)
        return np.asarray(
            cv2.remap(self.weight, *grid, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        )

    def _places(self, frame: Frame, axis: int) -> Plane:
        """Columns (axis 0) or rows (axis 1) of the map at the pixel centres of `frame`."""
        count = (frame.width, frame.height)[axis]
        centres = frame.origin_um[axis] + (np.arange(count) + 0.5) * frame.mpp[axis]
        return np.asarray(
            (centres - self.frame.origin_um[axis]) / self.frame.mpp[axis] - 0.5, np.float32
        )


def tissue_tiles(
    slide: Slide, frame: Frame, tissue: TissueMap, side_px: int, count: int, seed: int
) -> list[Pixels]:
    """Up to `count` squares (C, side, side) of a slide on the grid of `frame`, at places of chance
    in the tissue.

    They do not overlap and are at least half tissue; where there is none such, the one with most.
    """
    rows, columns = (max(1, length // side_px) for length in (frame.height, frame.width))
    quarters = frame.crop(0, 0, columns * side_px, rows * side_px).at_mpp(
        (frame.mpp[0] * side_px / 4, frame.mpp[1] * side_px / 4)
    )
    shares = tissue.on(quarters).reshape(rows, 4, columns, 4).mean((1, 3)).ravel()
    chosen = np.flatnonzero(shares >= 0.5)
    if not len(chosen):
        chosen = np.array([shares.argmax()])
    drawn = np.random.default_rng(seed).permutation(chosen)[:count]
    corners = [
        (int(number) % columns * side_px, int(number) // columns * side_px)
        for number in sorted(drawn)
    ]
    return [slide.read(frame.crop(x, y, side_px, side_px)).pixels for x, y in corners]


def _distance(region: Mask) -> Plane:
    """Pixels to the region, (h, w)."""
    return np.asarray(cv2.distanceTransform((~region).astype(np.uint8), cv2.DIST_L2, 5), np.float32)
