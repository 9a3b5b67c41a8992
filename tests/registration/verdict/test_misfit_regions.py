from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine
from stainbridge.phantom.pairs.pair import PhantomPair, generate_pair
from stainbridge.registration.sections.section import Section, read_section
from stainbridge.registration.verdict.misfit import Misfit
from stainbridge.registration.verdict.misfit_regions import measure_misfit
from stainbridge.slides.memory import ArraySlide
from stainbridge.types import Pixels

SIDE_PX = 384
MPP = 8.0


@pytest.fixture(scope="module")
def pair() -> PhantomPair:
    return generate_pair(seed=4, size_px=SIDE_PX, mpp=MPP, moving_stain="Ki67")


def stitch(pixels: Pixels, shift_px: int, rows: slice) -> Pixels:
    """Shift rows sideways, as a scanner does that has lost its place."""
    stitched = pixels.copy()
    stitched[:, rows] = np.roll(pixels[:, rows], shift_px, axis=2)
    return stitched


def read(pixels: Pixels) -> Section:
    section = read_section(ArraySlide(pixels, MPP), 384)
    assert section is not None
    return section


def measure(fixed: Section, moving: Section) -> Misfit:
    identity = Affine(np.eye(3), fixed.frame.space, moving.frame.space)
    return measure_misfit(fixed, moving, identity, identity)


def test_tissue_on_itself_fits_everywhere(pair: PhantomPair) -> None:
    section = read(pair.fixed.read(pair.fixed.frame).pixels)
    assert measure(section, section) == Misfit(0.0, ())


@pytest.mark.parametrize("shift_px", [40, 56])
def test_a_shifted_band_is_found_where_it_lies(pair: PhantomPair, shift_px: int) -> None:
    pixels = pair.fixed.read(pair.fixed.frame).pixels
    band = slice(150, 230)
    misfit = measure(read(pixels), read(stitch(pixels, shift_px, band)))
    assert 0.1 < misfit.share < 0.5
    middles = np.array([(top + bottom) / 2 for _, top, _, bottom in misfit.boxes_px])
    assert np.mean((middles > band.start - 10) & (middles < band.stop + 10)) > 0.9


def test_a_deformation_that_follows_the_band_leaves_no_misfit(pair: PhantomPair) -> None:
    pixels = pair.fixed.read(pair.fixed.frame).pixels
    section, shifted = read(pixels), read(stitch(pixels, 40, slice(0, SIDE_PX)))
    identity = Affine(np.eye(3), section.frame.space, shifted.frame.space)
    matrix = np.array([[1, 0, 40 * MPP], [0, 1, 0], [0, 0, 1.0]])
    moved = Affine(matrix, section.frame.space, shifted.frame.space)
    assert measure_misfit(section, shifted, identity, moved).share == 0
    assert measure_misfit(section, shifted, identity, identity).share > 0.5


def test_unlike_tissue_has_no_place_that_stands_out(pair: PhantomPair) -> None:
    pixels = pair.fixed.read(pair.fixed.frame).pixels
    upside_down = np.ascontiguousarray(pixels[:, ::-1])
    assert measure(read(pixels), read(upside_down)).share < 0.1


def test_a_frame_narrower_than_a_cell_tells_nothing(pair: PhantomPair) -> None:
    pixels = pair.fixed.read(pair.fixed.frame).pixels
    section = read(pixels)
    space = section.frame.space
    narrow = Frame(space, 4, 100, section.frame.mpp, section.frame.origin_um)
    region = np.ones((4, 100), bool)
    strip = replace(
        section, frame=narrow, density=section.density[:4, :100], region=region, outline=region
    )
    assert measure(strip, section) == Misfit(0.0, ())
