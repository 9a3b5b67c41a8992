"""The true map between two slides: where it is a correspondence of tissue, and its samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stainbridge.geometry.transform import DisplacementField, Transform
from stainbridge.phantom.glass.slide import PhantomSlide
from stainbridge.types import Mask, Points

#: The truth is not valid within this distance of gaps and folds, in shares of the slide's side.
_MARGIN_SHARE = 0.004


@dataclass(frozen=True, eq=False)
class DenseTruth:
    """The truth, sampled on pixel grids of both slides."""

    forward: DisplacementField
    """moving_from_fixed, on a grid of the fixed slide."""
    inverse: DisplacementField
    """fixed_from_moving, on a grid of the moving slide."""
    valid: Mask
    """Where `forward` is a correspondence of tissue, (H, W)."""


def find_valid_points(
    fixed: PhantomSlide, moving: PhantomSlide, truth: Transform, fixed_um: Points
) -> Mask:
    """Return at which fixed points, (N, 2) µm, the truth is a correspondence of tissue, (N,)."""
    return _find_intact(fixed, fixed_um) & _find_intact(moving, truth(fixed_um))


def _find_intact(slide: PhantomSlide, points_um: Points) -> Mask:
    """Return which points (N, 2) lie in tissue on the slide, clear of gaps and folds."""
    margin_um = _MARGIN_SHARE * min(slide.frame.size_um)
    gap = slide.gap_distance_um(points_um)
    tissue_points = slide.tissue_from_slide(points_um)
    depth = np.minimum(slide.section.tissue_depth_um(tissue_points), gap)
    fold = slide.fold_distance_um(points_um)
    clear = (depth > 0) & (gap > margin_um) & (fold > margin_um)
    return np.asarray(slide.frame.contains(points_um) & clear)
