"""Verification tells right transforms from wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates
from tests.registration.pictures import (
    SIZE,
    between,
    draw_tissue,
    section_of,
    similarity_matrix,
)

from stainbridge.registration.verdict.verification import measure_score, verify


def test_verification_tells_the_right_place_from_a_wrong_one() -> None:
    fixed = section_of(draw_tissue(), "fixed")
    moving = section_of(draw_tissue(), "moving")
    right = verify(fixed, moving, between(fixed, moving))
    turned = between(fixed, moving, similarity_matrix(70, False, 1, SIZE))
    wrong = verify(fixed, moving, turned)
    assert right.sharpness > 8 > 3 > wrong.sharpness
    assert right.score > wrong.score
    assert right.overlap > 0.99


@pytest.mark.parametrize("shift", [(0.5, 0.0), (0.5, 0.5), (0.25, 0.5)])
def test_verification_does_not_prefer_maps_that_hit_whole_pixels(
    shift: tuple[float, float],
) -> None:
    """The same tissue scanned on another grid, `shift` pixels of verification off."""
    rng = np.random.default_rng(1)
    side = 1024  # of which verification sees a quarter
    fine = gaussian_filter(rng.normal(size=(side, side)), 3.0)
    fine = np.clip(120 + 40 * fine / fine.std(), 0, 240)
    step = np.array(shift) * 4
    rows, columns = np.mgrid[:side, :side].astype(float)
    scanned = map_coordinates(fine, [rows + step[1], columns + step[0]], order=3, mode="reflect")
    first, second = (
        section_of(np.stack([plane] * 3).round().astype(np.uint8), name)
        for plane, name in ((fine, "first"), (scanned, "second"))
    )
    back = np.eye(3)
    back[:2, 2] = -step
    shifted = measure_score(first, second, between(first, second, back))
    same = measure_score(first, first, between(first, first))
    assert shifted > same - 0.04
