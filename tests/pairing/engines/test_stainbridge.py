"""Windows bring a rough alignment close, coarse to fine."""

from __future__ import annotations

import numpy as np
import pytest
from tests.pairing.texture import colour, draw_texture

from stainbridge.geometry.transform import Affine, DisplacementField
from stainbridge.pairing.config import PairingConfig
from stainbridge.pairing.engines.stainbridge import align, plan_rounds, refine
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
    result = refine(pair, start, rounds, smoothing_um=5.0)
    points = grid.centres_um()
    points = points[((points > 80) & (points < SIDE - 80)).all(1)]
    before = np.hypot(*(start(points) - points).T)
    after = np.hypot(*(result(points) - points).T)
    assert np.median(before) > 4
    assert np.median(after) < 0.5
    assert np.quantile(after, 0.95) < 1.0


@pytest.mark.parametrize(
    ("working_um", "patch_mpp", "slide_mpp"), [(10, 0.5, 0.5), (24, 0.25, 0.25), (2, 1, 1)]
)
def test_rounds_lead_from_coarse_to_fine(
    working_um: float, patch_mpp: float, slide_mpp: float
) -> None:
    sizes = [plan.mpp for plan, _ in plan_rounds(working_um, patch_mpp, slide_mpp)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] <= max(slide_mpp, 0.4 * working_um)
    assert slide_mpp <= sizes[-1] <= max(slide_mpp, 4 * patch_mpp)


def test_a_blank_slide_fails_with_its_reason() -> None:
    blank = make_slide(np.zeros((SIDE, SIDE), np.float32))
    alignment = align(blank, make_slide(draw_texture(SIDE)), PairingConfig(preset="fast"))
    assert alignment.transform is None
    assert alignment.status == "failed"
    assert "no tissue" in alignment.reason
