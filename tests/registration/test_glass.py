"""A registration does not depend on how much glass lies around the tissue."""

from __future__ import annotations

import numpy as np
import pytest
from tests.registration.quick import QUICK, draw_small_pair

from stainbridge.phantom.pairs.pair import PhantomPair
from stainbridge.registration.pipeline import register_slides
from stainbridge.registration.result import Registration
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide
from stainbridge.types import Points


@pytest.fixture(scope="module")
def pair() -> PhantomPair:
    return draw_small_pair()


def put_on_glass(slide: Slide, factor: int, at: tuple[float, float]) -> tuple[ArraySlide, Points]:
    """Put a slide on glass `factor` times as large; return it and its corner in pixels."""
    pixels = slide.read(slide.frame).pixels
    height, width = pixels.shape[1:]
    level = np.percentile(pixels[:, :8], 80, axis=(1, 2)).astype(np.uint8)
    glass = np.broadcast_to(level[:, None, None], (3, factor * height, factor * width)).copy()
    corner = np.array([at[0] * width * (factor - 1), at[1] * height * (factor - 1)]).astype(int)
    glass[:, corner[1] : corner[1] + height, corner[0] : corner[0] + width] = pixels
    return ArraySlide(glass, slide.frame.mpp[0], slide.info.path, slide.stain), corner


def register_on_glass(pair: PhantomPair, factor: int) -> tuple[Registration, float]:
    """Return the registration of a pair amid glass, and its median error in pixels."""
    fixed, fixed_corner = put_on_glass(pair.fixed, factor, (0.3, 0.8))
    moving, moving_corner = put_on_glass(pair.moving, factor, (0.9, 0.2))
    result = register_slides(fixed, moving, QUICK)
    warped = result.warp_points(pair.moving_landmarks.points_px + moving_corner)
    expected = pair.fixed_landmarks.points_px + fixed_corner
    return result, float(np.median(np.linalg.norm(warped - expected, axis=1)))


def test_glass_changes_neither_the_error_nor_the_verdict(pair: PhantomPair) -> None:
    bare, bare_px = register_on_glass(pair, 1)
    assert bare_px < 3
    for factor in (2, 8):
        result, error_px = register_on_glass(pair, factor)
        assert result.status == bare.status
        assert error_px < 1.2 * bare_px + 0.5
        assert result.tissue_um == pytest.approx(bare.tissue_um, rel=0.05)
        # the ruler of rTRE is the whole picture; that of the verdict is the tissue
        assert result.predicted_tissue_rtre == pytest.approx(bare.predicted_tissue_rtre, rel=0.3)
        assert result.predicted_rtre * factor == pytest.approx(bare.predicted_rtre, rel=0.3)
        assert result.predicted_um < result.bound_um < 0.05 * result.tissue_um
