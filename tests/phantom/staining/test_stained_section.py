"""Stained sections of one block of tissue."""

from __future__ import annotations

import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.phantom.tissue.config import TissueConfig


def test_sections_share_structure_but_not_nuclei() -> None:
    tissue = TissueConfig(3, 1600, 1600)
    frame = Frame(Space("tissue 3", 300, 300, (0.5, 0.5)), 300, 300, (0.5, 0.5), (700, 700))
    first, second = (
        StainedSection(tissue, distance_um=z).draw_dyes(frame)[..., 0] > 0.8 for z in (0.0, 4.0)
    )
    assert first.any()
    assert (first & second).sum() < 0.7 * first.sum()


def test_a_section_needs_a_finite_distance() -> None:
    with pytest.raises(InputError):
        StainedSection(TissueConfig(), distance_um=float("nan"))
