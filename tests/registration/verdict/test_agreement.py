"""Windows of tissue show where they would rather lie."""

from __future__ import annotations

import numpy as np
import pytest
from tests.registration.pictures import between, draw_tissue, section_of

from stainbridge.geometry.transform import Affine
from stainbridge.registration.sections.section import Section
from stainbridge.registration.verdict.agreement import Agreement, measure_agreement


@pytest.fixture(scope="module")
def fixed() -> Section:
    return section_of(draw_tissue(), "fixed")


@pytest.fixture(scope="module")
def moving() -> Section:
    """The same section in a fainter stain."""
    return section_of(255 - (255 - draw_tissue()) // 3, "moving")


def shift_right(fixed: Section, moving: Section, pixels: float) -> Affine:
    """Return the truth, moved to the right by some pixels of 384."""
    matrix = np.eye(3)
    matrix[0, 2] = pixels
    return between(fixed, moving, matrix)


def test_windows_stay_under_the_truth_though_the_stain_is_fainter(
    fixed: Section, moving: Section
) -> None:
    agreement = measure_agreement(fixed, moving, shift_right(fixed, moving, 0))
    assert agreement.share > 0.95
    assert agreement.lead > 0.2


def test_fewer_windows_stay_the_larger_the_error_is(fixed: Section, moving: Section) -> None:
    agreements = [
        measure_agreement(fixed, moving, shift_right(fixed, moving, step)) for step in (0, 6, 9, 14)
    ]
    shares = [agreement.share for agreement in agreements]
    leads = [agreement.lead for agreement in agreements]
    assert shares == sorted(shares, reverse=True)
    assert leads == sorted(leads, reverse=True)
    assert shares[-1] < 0.1 < 0.2 < -leads[-1]


def test_other_tissue_does_not_agree(fixed: Section) -> None:
    other = section_of(draw_tissue(seed=5), "other")
    agreement = measure_agreement(fixed, other, shift_right(fixed, other, 0))
    assert agreement.share < 0.7
    assert agreement.lead < 0.05


def test_sections_beside_each_other_agree_in_nothing(fixed: Section, moving: Section) -> None:
    beside = shift_right(fixed, moving, 2000)
    assert measure_agreement(fixed, moving, beside) == Agreement(0.0, 0.0)
