"""Plan where patches of a slide are cut: a grid, as far as it holds tissue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.imaging.image import Image
from stainbridge.pairing.config import PairingConfig
from stainbridge.slides.overview import read_overview
from stainbridge.slides.slide import Slide
from stainbridge.types import Mask

#: Longest side in pixels of the overview that tissue is looked for on.
OVERVIEW_PX = 2048
#: A place is read where its tissue on the overview is at least this share of what is asked for:
#: the overview is coarse, and the patch itself decides.
OVERVIEW_SHARE = 0.5
#: Patches may be finer than the slide by this factor, for pixel sizes that are rounded.
FINEST = 0.8


@dataclass(frozen=True)
class Place:
    """Where a patch is cut."""

    x_px: int
    """Left edge in full-resolution pixels of the fixed slide."""
    y_px: int
    """Top edge in full-resolution pixels of the fixed slide."""
    side_px: float
    """Side in full-resolution pixels of the fixed slide."""
    frame: Frame
    """The patch's own pixels, in the fixed slide's space."""


def plan_patches(fixed: Slide, config: PairingConfig, mask: Image | None = None) -> list[Place]:
    """Return the places of a grid over the fixed slide that may hold enough tissue, row by row.

    Patches lie wholly on the slide. `mask` (1, h, w) is not 0 where tissue may be used. Raises
    `InputError` where the slide cannot give such patches.
    """
    mpp = choose_mpp(fixed.frame, config)
    grid = lay_grid(fixed.frame, config, mpp)
    overview = read_overview(fixed, OVERVIEW_PX, mask)
    least = OVERVIEW_SHARE * config.thresholds.min_tissue
    shares = measure_shares(overview.region, overview.frame, grid)
    return [place for place, share in zip(grid, shares, strict=True) if share >= least]


def choose_mpp(frame: Frame, config: PairingConfig) -> float:
    """Return the pixel size of patches in µm; the slide's own where none is asked for.

    Raises `InputError` for one in µm on a slide without a pixel size, and for one that is finer
    than the slide.
    """
    own = float(np.sqrt(frame.mpp[0] * frame.mpp[1]))
    if config.mpp is None:
        return own
    if not frame.calibrated:
        raise InputError(
            "patches at a pixel size in µm need a slide with one",
            where=frame.label,
            remedy="give the slide's µm per pixel, or leave out the patches'",
        )
    if config.mpp < FINEST * own:
        raise InputError(
            "the patches are finer than the slide",
            where=frame.label,
            expected=f"{own:.4g} µm per pixel or more",
            got=config.mpp,
        )
    return config.mpp


def lay_grid(frame: Frame, config: PairingConfig, mpp: float) -> list[Place]:
    """Return the places of all patches that lie on the slide, row by row.

    They begin at whole full-resolution pixels. Raises `InputError` for a slide smaller than one.
    """
    side_um = config.patch_px * mpp
    columns, rows = (
        [
            round(number * config.step_px * mpp / frame.mpp[axis])
            for number in range(_count(frame.size_um[axis], side_um, config.step_px * mpp))
        ]
        for axis in (0, 1)
    )
    if not columns or not rows:
        raise InputError(
            "the slide is smaller than a patch",
            where=frame.label,
            expected=f"{side_um / frame.mpp[0]:.0f} px a side or more",
            got=f"{frame.width} x {frame.height} px",
        )
    return [
        Place(
            x_px,
            y_px,
            side_um / frame.mpp[0],
            Frame(
                frame.space,
                config.patch_px,
                config.patch_px,
                (mpp, mpp),
                (x_px * frame.mpp[0], y_px * frame.mpp[1]),
            ),
        )
        for y_px in rows
        for x_px in columns
    ]


def measure_shares(region: Mask, frame: Frame, places: list[Place]) -> list[float]:
    """Return the share of each place that `region` (H, W) on `frame` covers."""
    sums = np.pad(np.cumsum(np.cumsum(region, 0, np.int64), 1), ((1, 0), (1, 0)))
    shares = []
    for place in places:
        corners = frame.to_px(place.frame.corners_um)
        left, top = np.floor(corners[0] + 1e-6).astype(int)
        right, bottom = np.ceil(corners[2] - 1e-6).astype(int)
        right = min(max(right, left + 1), frame.width)
        bottom = min(max(bottom, top + 1), frame.height)
        covered = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        shares.append(float(covered / ((right - left) * (bottom - top))))
    return shares


def _count(extent_um: float, side_um: float, step_um: float) -> int:
    """Return how many patches fit along an extent; a thousandth of a patch may stick out."""
    room_um = extent_um - side_um * 0.999
    return 0 if room_um < 0 else int(room_um // step_um) + 1
