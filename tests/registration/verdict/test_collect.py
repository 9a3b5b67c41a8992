"""Evidence is of the placement and of the final transform."""

from __future__ import annotations

import numpy as np
import pytest
from tests.registration.verdict.test_agreement import fixed, moving, shift_right

from stainbridge.registration.sections.section import Section
from stainbridge.registration.verdict.collect import collect_evidence
from stainbridge.registration.verdict.verification import verify

__all__ = ["fixed", "moving"]  # fixtures


def test_evidence_of_a_placement_without_a_deformation(fixed: Section, moving: Section) -> None:
    placement = shift_right(fixed, moving, 3)
    verification = verify(fixed, moving, placement)
    evidence = collect_evidence(fixed, moving, placement, verification, placement)
    assert evidence.bend == pytest.approx(0, abs=1e-9)
    assert evidence.area_spread == pytest.approx(0, abs=1e-6)
    assert (evidence.share, evidence.lead) == (evidence.affine_share, evidence.affine_lead)
    assert (evidence.local_ncc + evidence.edges) / 2 == pytest.approx(verification.score)
    assert np.isnan(evidence.disagreement)


def test_evidence_of_a_deformation_is_of_both_transforms(fixed: Section, moving: Section) -> None:
    placement = shift_right(fixed, moving, 9)
    final = shift_right(fixed, moving, 0)
    verification = verify(fixed, moving, placement)
    evidence = collect_evidence(fixed, moving, placement, verification, final, disagreement_um=5.43)
    assert evidence.share > evidence.affine_share
    assert evidence.lead > evidence.affine_lead
    assert evidence.bend == pytest.approx(9 / fixed.tissue_um)
    assert evidence.disagreement == pytest.approx(5.43 / fixed.tissue_um)
