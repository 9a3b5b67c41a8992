"""Windows of tissue say where they would rather lie."""

from __future__ import annotations

import numpy as np
import pytest
from tests.registration.stages.test_stages import picture, section

from stainbridge.geometry.transform import Affine
from stainbridge.registration.sections.section import Section
from stainbridge.registration.verdict.agreement import Agreement, agreement
from stainbridge.registration.verdict.collect import gather
from stainbridge.registration.verdict.verification import verify


@pytest.fixture(scope="module")
def fixed() -> Section:
    return section(picture(), "fixed")


@pytest.fixture(scope="module")
def moving() -> Section:
    return section(255 - (255 - picture()) // 3, "moving")


def shifted(fixed: Section, moving: Section, pixels: float) -> Affine:
    """The truth, moved to the right by so many pixels of 384."""
    matrix = np.eye(3)
    matrix[0, 2] = pixels
    return Affine(matrix, fixed.frame.space, moving.frame.space)


def test_windows_stay_under_the_truth_though_the_stain_is_fainter(
    fixed: Section, moving: Section
) -> None:
    found = agreement(fixed, moving, shifted(fixed, moving, 0))
    assert found.share > 0.95
    assert found.lead > 0.2


def test_the_farther_off_the_fewer_stay(fixed: Section, moving: Section) -> None:
    found = [agreement(fixed, moving, shifted(fixed, moving, step)) for step in (0, 6, 9, 14)]
    assert [item.share for item in found] == sorted([item.share for item in found], reverse=True)
    assert [item.lead for item in found] == sorted([item.lead for item in found], reverse=True)
    assert found[-1].share < 0.1 < 0.2 < -found[-1].lead


def test_other_tissue_does_not_agree(fixed: Section) -> None:
    other = section(picture(seed=5), "other")
    found = agreement(fixed, other, shifted(fixed, other, 0))
    assert found.share < 0.7
    assert found.lead < 0.05


def test_what_lies_beside_the_other_slide_agrees_in_nothing(
    fixed: Section, moving: Section
) -> None:
    assert agreement(fixed, moving, shifted(fixed, moving, 2000)) == Agreement(0.0, 0.0)


def test_evidence_of_an_affine_that_was_not_bent_says_so(fixed: Section, moving: Section) -> None:
    placed = shifted(fixed, moving, 3)
    checked = verify(fixed, moving, placed)
    evidence = gather(fixed, moving, placed, checked, placed)
    assert evidence.bend == pytest.approx(0, abs=1e-9)
    assert evidence.area_spread == pytest.approx(0, abs=1e-6)
    assert (evidence.share, evidence.lead) == (evidence.affine_share, evidence.affine_lead)
    assert (evidence.local_ncc + evidence.edges) / 2 == pytest.approx(checked.score)
    assert np.isnan(evidence.disagreement)


def test_evidence_of_bending_is_of_both_maps(fixed: Section, moving: Section) -> None:
    placed, final = shifted(fixed, moving, 9), shifted(fixed, moving, 0)
    evidence = gather(
        fixed, moving, placed, verify(fixed, moving, placed), final, disagreement_um=5.43
    )
    assert evidence.share > evidence.affine_share
    assert evidence.lead > evidence.affine_lead
    assert evidence.bend == pytest.approx(9 / fixed.frame.diagonal_um)
    assert evidence.disagreement == pytest.approx(5.43 / fixed.frame.diagonal_um)
