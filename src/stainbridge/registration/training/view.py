"""What part of a section a sample shows, and how it lies."""

from __future__ import annotations

import numpy as np

from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.transform import Affine
from stainbridge.registration.sections.section import Section
from stainbridge.registration.sections.views import MARGIN_SHARE
from stainbridge.registration.training.augment import affine_about_point, draw_orientation
from stainbridge.registration.training.config import PairsConfig
from stainbridge.types import Matrix, Points

#: So many places are tried for a patch with enough tissue.
PATCH_TRIES = 8


def draw_view(
    rng: np.random.Generator, section: Section, fixed: Frame, config: PairsConfig
) -> tuple[Frame, Affine]:
    """The frame of a sample, in a space of its own, and how that lies in the fixed slide's.

    The box around the section's tissue, turned and mirrored; or a patch about a point of it.
    """
    linear = draw_orientation(rng, config.augment)
    tissue = section.frame.centres_um()[section.region.ravel()]
    inside = tissue @ linear  # the section in the turned space: linear is orthogonal
    low, high = inside.min(axis=0), inside.max(axis=0)
    margin = MARGIN_SHARE * (high - low).max()
    longest = int(rng.integers(config.section_px[0], config.section_px[1] + 1))
    mpp = config.mpp or float(((high - low).max() + 2 * margin) / longest)
    if config.patch_px is None:
        size = np.ceil((high - low + 2 * margin) / mpp).astype(int)
        size = np.full(2, size.max()) if config.square else size
        centre = linear @ ((low + high) / 2)
    else:
        size = np.array([config.patch_px] * 2)
        pixel_um2 = section.frame.mpp[0] * section.frame.mpp[1]
        centre = linear @ _patch_centre(
            rng, inside, config.patch_px * mpp, pixel_um2, config.min_tissue
        )
    view = Space("view", int(size[1]), int(size[0]), (mpp, mpp)).frame
    return view, Affine(
        affine_about_point(linear, view.centre_um, centre - np.asarray(view.centre_um)),
        view.space,
        fixed.space,
    )


def _patch_centre(
    rng: np.random.Generator, tissue: Points, side_um: float, pixel_um2: float, min_tissue: float
) -> Matrix:
    """A point (2,) of the tissue (N, 2) about which a patch has the least share of it, or the best
    of those tried.
    """
    best, most = tissue[0], -1.0
    for _ in range(PATCH_TRIES):
        centre = tissue[rng.integers(len(tissue))]
        share = (
            float((np.abs(tissue - centre).max(axis=1) < side_um / 2).sum())
            * pixel_um2
            / side_um**2
        )
        if share > most:
            best, most = centre, share
        if most >= min_tissue:
            break
    return np.asarray(best)
