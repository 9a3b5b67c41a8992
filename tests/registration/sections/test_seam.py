"""A straight cut along which tissue is displaced is seen on one slide alone; tissue is none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stainbridge.registration.sections.seam import measure_seam
from stainbridge.registration.sections.section import read_section
from stainbridge.registration.verdict.judge import TOLERABLE_SEAM
from stainbridge.slides.memory import ArraySlide
from stainbridge.types import Mask, Plane

SIDE = 480


def draw_tissue(seed: int, height: int = SIDE) -> tuple[Plane, Mask]:
    """A disc with structures of a few pixels, and where it is."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(height, SIDE)).astype(np.float32)
    fine, coarse = (cv2.GaussianBlur(noise, (0, 0), sigma) for sigma in (2.0, 8.0))
    y, x = np.mgrid[:height, :SIDE]
    disc = np.hypot(x / SIDE - 0.5, y / height - 0.5) < 0.45
    structure = 0.5 + 0.1 * fine / fine.std() + 0.1 * coarse / coarse.std()
    return np.asarray(structure * disc, np.float32), disc


def displace(plane: Plane, rows: slice, shift: int) -> Plane:
    """Shift rows sideways, as wrong stitching does."""
    moved = plane.copy()
    moved[rows] = np.roll(plane[rows], shift, axis=1)
    return moved


@pytest.mark.parametrize("seed", range(6))
def test_tissue_has_no_seam(seed: int) -> None:
    assert measure_seam(*draw_tissue(seed)) < TOLERABLE_SEAM


@pytest.mark.parametrize("shift", [20, -30, 60, 150])
@pytest.mark.parametrize("upright", [False, True])
def test_a_displaced_band_is_a_seam(shift: int, upright: bool) -> None:
    density, region = draw_tissue(1)
    as_given = measure_seam(density, region)
    rows = slice(SIDE // 2, None)
    moved = displace(density, rows, shift)
    where = displace(region.astype(np.float32), rows, shift) > 0
    if upright:
        moved, where = moved.T, where.T
    assert as_given < TOLERABLE_SEAM < measure_seam(moved, where)


def test_a_band_that_is_displaced_by_next_to_nothing_is_none() -> None:
    density, region = draw_tissue(1)
    assert measure_seam(displace(density, slice(SIDE // 2, None), 2), region) < TOLERABLE_SEAM


@pytest.mark.parametrize("height", [1, 2, 3, 12])
def test_too_little_tissue_shows_none(height: int) -> None:
    density, region = draw_tissue(1, height)
    assert measure_seam(density[:, :16], region[:, :16]) == 0
    assert measure_seam(0 * density, np.zeros_like(region)) == 0


def test_rows_that_do_not_resemble_each_other_show_none() -> None:
    """As where a pixel is larger than what the tissue shows."""
    rng = np.random.default_rng(3)
    _, region = draw_tissue(3)
    noise = cv2.GaussianBlur(rng.normal(size=region.shape).astype(np.float32), (0, 0), 0.6)
    density = np.asarray(0.5 + noise * region, np.float32)
    assert measure_seam(density, region) < TOLERABLE_SEAM


@pytest.mark.parametrize("thickness", [1, 2, 5])
def test_a_straight_structure_is_none(thickness: int) -> None:
    density, region = draw_tissue(2)
    density[SIDE // 2 : SIDE // 2 + thickness] += 0.3 * region[SIDE // 2]
    assert measure_seam(density, region) < TOLERABLE_SEAM


@pytest.mark.parametrize("seed", range(3))
def test_a_crack_in_smooth_tissue_is_none(seed: int) -> None:
    """Its edges differ from smooth tissue far more than that differs from itself."""
    density, region = draw_tissue(seed)
    smooth = np.asarray((0.7 + 0.02 * (density - density[region].mean())) * region, np.float32)
    crack = (slice(200, 206), slice(120, 300))
    smooth[crack] = 0
    smooth[200:330, 300:306] = 0
    assert measure_seam(smooth, region) < TOLERABLE_SEAM


def test_a_section_knows_its_own() -> None:
    density, _ = draw_tissue(1)
    slides = [
        ArraySlide((240 * np.exp(-plane)).astype(np.uint8)[None].repeat(3, 0), 2.0)
        for plane in (density, displace(density, slice(SIDE // 2, None), -30))
    ]
    whole, cut, small = (
        read_section(slide, longest_px)
        for slide, longest_px in zip((*slides, slides[1]), (512, 512, 160), strict=True)
    )
    assert whole is not None
    assert cut is not None
    assert small is not None
    assert whole.seam < TOLERABLE_SEAM < cut.seam
    assert small.seam == 0
