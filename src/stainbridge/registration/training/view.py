"""Which part of a section a sample shows, and in which orientation."""

from __future__ import annotations

import numpy as np

from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.transform import Affine
from stainbridge.registration.sections.section import Section
from stainbridge.registration.sections.views import MARGIN_SHARE
from stainbridge.registration.training.augment import affine_about_point, draw_orientation
from stainbridge.registration.training.config import PairsConfig
from stainbridge.types import Matrix, Points

#: Places that are tried for a patch with enough tissue.
PATCH_TRIES = 8


def draw_view(
    rng: np.random.Generator, section: Section, fixed: Frame, config: PairsConfig
) -> tuple[Frame, Affine]:
    """Draw the frame of a sample, in a space of its own, and its map to the fixed slide's space.

    The frame is the box around the section's tissue, turned and mirrored, or a patch about a point
    of the tissue.
    """
    linear = draw_orientation(rng, config.augment)
    tissue = section.frame.centres_um()[section.region.ravel()]
    turned = tissue @ linear  # the tissue in the turned space: linear is orthogonal
    low = turned.min(axis=0)
    high = turned.max(axis=0)
    margin = MARGIN_SHARE * (high - low).max()
    longest_px = int(rng.integers(config.section_px[0], config.section_px[1] + 1))
    mpp = config.mpp or float(((high - low).max() + 2 * margin) / longest_px)
    if config.patch_px is None:
        size = np.ceil((high - low + 2 * margin) / mpp).astype(int)
        size = np.full(2, size.max()) if config.square else size
        centre = linear @ ((low + high) / 2)
    else:
        size = np.array([config.patch_px] * 2)
        pixel_um2 = section.frame.mpp[0] * section.frame.mpp[1]
        side_um = config.patch_px * mpp
        centre = linear @ _draw_patch_centre(rng, turned, side_um, pixel_um2, config.min_tissue)
    view = Space("view", int(size[1]), int(size[0]), (mpp, mpp)).frame
    shift_um = centre - np.asarray(view.centre_um)
    matrix = affine_about_point(linear, view.centre_um, shift_um)
    return view, Affine(matrix, view.space, fixed.space)


def _draw_patch_centre(
    rng: np.random.Generator, tissue: Points, side_um: float, pixel_um2: float, min_tissue: float
) -> Matrix:
    """Draw a point (2,) of the tissue (N, 2) about which a patch has enough tissue.

    Where no tried patch has `min_tissue`, the point of the best of them is returned.
    """
    best = tissue[0]
    best_share = -1.0
    for _ in range(PATCH_TRIES):
        centre = tissue[rng.integers(len(tissue))]
        inside = np.abs(tissue - centre).max(axis=1) < side_um / 2
        share = float(inside.sum()) * pixel_um2 / side_um**2
        if share > best_share:
            best = centre
            best_share = share
        if best_share >= min_tissue:
            break
    return np.asarray(best)
