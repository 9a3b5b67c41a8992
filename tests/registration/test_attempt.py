"""The evidence before a deformation is of the placement, or of what the deformation made of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.registration.states import must_read

from stainbridge.geometry.transform import Affine
from stainbridge.registration.attempt import CORRECTION_SHARE, find_placement
from stainbridge.registration.sections.section import Section
from stainbridge.slides.memory import ArraySlide


@pytest.fixture(scope="module")
def section() -> Section:
    pixels = np.full((3, 46, 60), 243, np.uint8)
    tissue = np.random.default_rng(0).uniform(80, 160, (30, 40))
    pixels[:, 8:38, 10:50] = tissue.astype(np.uint8)
    return must_read(ArraySlide(pixels, 4.0))


def shift(section: Section, share: float) -> Affine:
    """Shift by a share of the tissue's diagonal."""
    matrix = np.eye(3)
    matrix[0, 2] = share * section.tissue_um
    return Affine(matrix, section.frame.space, section.frame.space)


def test_a_placement_that_a_deformation_corrected_is_looked_at_where_it_ended(
    section: Section,
) -> None:
    solution = shift(section, 2 * CORRECTION_SHARE)
    found = find_placement(section, shift(section, 0.0), solution)
    assert np.allclose(found.matrix, solution.matrix)


@pytest.mark.parametrize("share", [0.0, 0.5 * CORRECTION_SHARE])
def test_a_placement_that_a_deformation_hardly_moved_stands(section: Section, share: float) -> None:
    placement = shift(section, 0.0)
    assert find_placement(section, placement, shift(section, share)) is placement


def test_tissue_too_thin_to_fit_a_map_to_leaves_the_placement(section: Section) -> None:
    region = np.zeros_like(section.region)
    region[len(region) // 2] = True
    thin = replace(section, region=region)
    placement = shift(thin, 0.0)
    assert find_placement(thin, placement, shift(thin, 0.1)) is placement
