"""Measure both pictures of a patch: tissue, misalignment, blur, pen, positive share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np

from stainbridge.imaging.image import Image
from stainbridge.imaging.ink import find_pen_colours
from stainbridge.metrics.stains import POSITIVE_DENSITY, dab_density
from stainbridge.pairing.blur import estimate_blur_px
from stainbridge.pairing.patch import PatchScores
from stainbridge.pairing.residual import estimate_residual
from stainbridge.registration.sections.density import Masks, SlideDensity
from stainbridge.slides.slide import Slide
from stainbridge.types import Mask, Plane

#: Longest side in pixels at which tissue is found.
TISSUE_PX = 128
#: Density from which a place is tissue; glass is 0.
TISSUE_DENSITY = 0.15
#: Widest gap that counts as tissue, as a share of the patch: lumina, vessels, fat cells.
GAP_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class PatchScorer:
    """Scores patches of one slide pair, on the scale of the whole slides.

    A patch inside tissue has no glass of its own, so densities are fitted on both overviews.
    """

    fixed: SlideDensity
    """Turns pictures of the fixed slide into densities."""
    moving: SlideDensity
    """The same of the moving slide."""

    @classmethod
    def fit(cls, fixed: Slide, moving: Slide, masks: Masks = (None, None)) -> Self:
        """Fit on overviews of both slides; raises `InputError` when one shows no tissue."""
        return cls(SlideDensity.fit(fixed, masks[0]), SlideDensity.fit(moving, masks[1]))

    def score(
        self,
        fixed: Image,
        moving: Image,
        fold: float = 0.0,
        alignment_error_um: float | None = None,
    ) -> PatchScores:
        """Measure a patch.

        `fixed` and `moving` are (C, H, W) pictures on the same frame of the fixed slide: the
        fixed slide's own, and the moving slide seen through the alignment. The error of
        that alignment is None where its engine does not tell. `fold` is the share of either
        picture that is folded; a patch alone does not show it.
        """
        densities = self.fixed(fixed), self.moving(moving)
        tissue = [find_patch_tissue(density) for density in densities]
        error_px = None if alignment_error_um is None else alignment_error_um / fixed.frame.mpp[0]
        residual = estimate_residual(*densities, error_px)
        return PatchScores(
            tissue_fixed=_share(tissue[0]),
            tissue_moving=_share(tissue[1]),
            residual_px=residual.px,
            residual_uncertainty_px=residual.uncertainty_px,
            blur_fixed=estimate_blur_px(densities[0], fixed.valid),
            blur_moving=estimate_blur_px(densities[1], moving.valid),
            pen=max(_measure_pen(fixed), _measure_pen(moving)),
            fold=fold,
            positive=_measure_positive(moving),
        )


def find_patch_tissue(density: Plane) -> Mask:
    """Return where a patch of density (H, W) is covered by tissue, at most 128 pixels a side.

    Gaps up to a tenth of the patch are covered: lumina, vessels, fat cells.
    """
    small = reduce_plane(density)
    covered = (cv2.GaussianBlur(small, (0, 0), 1.0) > TISSUE_DENSITY).astype(np.uint8)
    gap = max(3, round(GAP_SHARE * max(covered.shape)) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (gap, gap))
    padded = cv2.copyMakeBorder(covered, gap, gap, gap, gap, cv2.BORDER_REPLICATE)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)
    return np.asarray(closed[gap:-gap, gap:-gap] > 0)


def reduce_plane(plane: Plane, longest_px: int = TISSUE_PX) -> Plane:
    """Average a plane (H, W) over pixels until its longer side has at most `longest_px`."""
    height, width = plane.shape
    factor = max(1.0, max(height, width) / longest_px)
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA))


def _share(mask: Mask) -> float:
    return float(mask.mean())


def _measure_pen(image: Image) -> float:
    """Return the share of a picture that has the colours of a felt pen; 0 for other than RGB."""
    if not _is_rgb(image):
        return 0.0
    return float(find_pen_colours(image.pixels).mean())


def _measure_positive(image: Image) -> float:
    """Return the share of a picture that is positive for DAB; nan for other than RGB."""
    if not _is_rgb(image):
        return float("nan")
    return float((dab_density(image.pixels) > POSITIVE_DENSITY).mean())


def _is_rgb(image: Image) -> bool:
    return image.pixels.shape[0] == 3 and image.pixels.dtype == np.uint8
