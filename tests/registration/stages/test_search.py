"""The search finds a placement whatever the rotation, flip and scale, within its limits."""

from __future__ import annotations

import numpy as np
import pytest
from tests.registration.pictures import (
    SIZE,
    between,
    draw_tissue,
    largest_error_px,
    section_of,
    similarity_matrix,
    warp_picture,
)

from stainbridge.registration.config import AffineConfig, SearchConfig
from stainbridge.registration.stages.affine import rank_hypotheses, refine_hypotheses
from stainbridge.registration.stages.search import search_placements


@pytest.mark.parametrize(
    ("degrees", "flip", "scale"),
    [
        (140, True, 1.0),
        pytest.param(-75, False, 0.62, marks=pytest.mark.slow),
        pytest.param(33, False, 1.6, marks=pytest.mark.slow),
        pytest.param(180, True, 1.3, marks=pytest.mark.slow),
    ],
)
def test_search_finds_any_rotation_flip_and_scale_and_refinement_sharpens_it(
    degrees: float, flip: bool, scale: float
) -> None:
    size = int(SIZE * max(1.0, scale))
    truth = similarity_matrix(degrees, flip, scale, size)
    fixed = section_of(draw_tissue(), "fixed")
    moving = section_of(warp_picture(draw_tissue(), truth, size), "moving")
    placements = search_placements(fixed, moving, SearchConfig())
    errors = [largest_error_px(placement.matrix, truth) for placement in placements]
    assert min(errors) < 0.08 * size
    ranked = rank_hypotheses(fixed, moving, placements, SearchConfig().hypotheses)
    config = AffineConfig(sizes_px=(128, 256), survivors=(4, 1), steps=(40, 40))
    best = refine_hypotheses(fixed, moving, ranked, config)[0]
    assert largest_error_px(best.matrix, truth) < 1.0


def test_search_obeys_its_limits() -> None:
    fixed = section_of(draw_tissue(), "fixed")
    turned = warp_picture(draw_tissue(), similarity_matrix(140, True, 1, SIZE), SIZE)
    moving = section_of(turned, "moving")
    placements = search_placements(
        fixed, moving, SearchConfig(), flips=(False,), max_rotation_deg=30
    )
    assert placements
    for placement in placements:
        transform = between(fixed, moving, placement.matrix)
        assert not transform.flip
        assert abs(transform.rotation_deg) <= 30 + 1e-6


def test_known_pixel_sizes_limit_the_scales_tried() -> None:
    fixed = section_of(draw_tissue(), "fixed", calibrated=True)
    moving = section_of(draw_tissue(), "moving", calibrated=True)
    placements = search_placements(fixed, moving, SearchConfig())
    scales = [between(fixed, moving, placement.matrix).scale for placement in placements]
    assert 0.85 < min(scales) <= max(scales) < 1.2


def test_any_number_of_threads_finds_the_same_placements() -> None:
    fixed = section_of(draw_tissue(), "fixed")
    config = SearchConfig(angles=12, scales=3)
    alone = search_placements(fixed, fixed, config)
    shared = search_placements(fixed, fixed, config, threads=3)
    for one, other in zip(alone, shared, strict=True):
        np.testing.assert_array_equal(one.matrix, other.matrix)
