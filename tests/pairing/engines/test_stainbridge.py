"""Windows bring a rough alignment close, coarse to fine."""

from __future__ import annotations

import numpy as np
import pytest
from tests.pairing.texture import colour, draw_texture

from stainbridge.geometry.piecewise import PieceRegion, Piecewise, TransformedPiece
from stainbridge.geometry.transform import Affine, DisplacementField
from stainbridge.pairing.config import PairingConfig
from stainbridge.pairing.engines.stainbridge import (
    align,
    measure_likeness,
    plan_rounds,
    refine,
    smooth_transform,
)
from stainbridge.pairing.slide_windows import SlidePairDensities
from stainbridge.registration.sections.density import SlideDensity
from stainbridge.slides.memory import ArraySlide

SIDE = 512


def make_slide(density: np.ndarray) -> ArraySlide:
    """Return a slide of 1 µm pixels."""
    return ArraySlide(colour(density), mpp=1.0, stain="HE")


def test_a_wave_of_displacement_is_found() -> None:
    density = draw_texture(SIDE)
    density[:40] = density[-40:] = density[:, :40] = density[:, -40:] = 0
    fixed = make_slide(density)
    moving = make_slide(density)
    pair = SlidePairDensities(fixed, moving, SlideDensity.fit(fixed), SlideDensity.fit(moving))
    grid = fixed.frame.fit(64)
    x, y = grid.centres_um().T
    wave = np.stack([6 * np.sin(x / 120), 5 * np.cos(y / 140)]).reshape(2, 64, 64)
    space = fixed.frame.space
    wrong = DisplacementField(wave.astype(np.float32), grid, space, space)
    start = wrong.then(Affine(np.eye(3), space, moving.frame.space))
    rounds = plan_rounds(working_um=2.5, patch_mpp=0.5, slide_mpp=1.0)
    result, error = refine(pair, start, rounds, working_um=2.5)
    points = grid.centres_um()
    points = points[((points > 80) & (points < SIDE - 80)).all(1)]
    before = np.hypot(*(start(points) - points).T)
    after = np.hypot(*(result(points) - points).T)
    assert np.median(before) > 4
    assert np.median(after) < 0.5
    assert np.quantile(after, 0.95) < 1.0
    assert error.measure(fixed.frame.crop(128, 128, 256, 256)) < 1.0


@pytest.mark.parametrize(
    ("working_um", "patch_mpp", "slide_mpp"), [(10, 0.5, 0.5), (24, 0.25, 0.25), (2, 1, 1)]
)
def test_rounds_lead_from_coarse_to_fine(
    working_um: float, patch_mpp: float, slide_mpp: float
) -> None:
    sizes = [plan.mpp for plan in plan_rounds(working_um, patch_mpp, slide_mpp)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] <= max(slide_mpp, 0.5 * working_um)
    assert slide_mpp <= sizes[-1] <= max(slide_mpp, 4 * patch_mpp)


def test_halves_of_near_windows_disagree_by_less_than_they_err() -> None:
    assert measure_likeness(66.0) == pytest.approx(2.5)
    assert measure_likeness(200.0) == 1


def test_only_the_deformation_of_the_tissue_is_smoothed() -> None:
    density = draw_texture(SIDE)
    density[:, 160:] = 0
    slide = make_slide(density)
    space = slide.frame.space
    grid = slide.frame.fit(64)
    shift = np.zeros((2, 64, 64), np.float32)
    shift[0, :, 24:] = 40.0  # what a registration does to glass says nothing
    stay = Affine(np.eye(3), space, space)
    wrong = DisplacementField(shift, grid, space, space).then(stay)
    overview = SlideDensity.fit(slide).overview
    result = smooth_transform(wrong, stay, grid, overview, smoothing_um=40.0)
    points = np.array([[140.0, 100.0], [140.0, 250.0], [140.0, 400.0]])
    assert np.hypot(*(result(points) - points).T).max() < 2


def test_pieces_that_lie_apart_keep_their_own_shifts() -> None:
    density = draw_texture(SIDE)
    density[:, 240:272] = density[:120] = density[-120:] = 0
    moved = np.hstack([np.roll(density[:, :256], 90, 0), np.roll(density[:, 256:], -90, 0)])
    fixed = make_slide(density)
    moving = make_slide(moved)
    spaces = fixed.frame.space, moving.frame.space
    left = np.arange(SIDE)[None, :] < np.full((SIDE, 1), SIDE // 2)
    pieces = tuple(
        TransformedPiece(
            Affine(np.array([[1, 0, 0], [0, 1, shift], [0, 0, 1.0]]), *spaces),
            PieceRegion(mask, fixed.frame),
            PieceRegion(mask, moving.frame),
        )
        for mask, shift in ((left, 92.0), (~left, -88.0))
    )
    pair = SlidePairDensities(fixed, moving, SlideDensity.fit(fixed), SlideDensity.fit(moving))
    rounds = plan_rounds(working_um=2.0, patch_mpp=0.5, slide_mpp=1.0)
    result, _ = refine(pair, Piecewise(pieces), rounds, working_um=2.0)
    points = np.array([[100.0, 200.0], [100.0, 300.0], [420.0, 200.0], [420.0, 300.0]])
    moves = np.array([[0, 90], [0, 90], [0, -90], [0, -90]])
    np.testing.assert_allclose(result(points), points + moves, atol=2.0)


def test_a_blank_slide_fails_with_its_reason() -> None:
    blank = make_slide(np.zeros((SIDE, SIDE), np.float32))
    alignment = align(blank, make_slide(draw_texture(SIDE)), PairingConfig(preset="fast"))
    assert alignment.transform is None
    assert alignment.status == "failed"
    assert "no tissue" in alignment.reason
