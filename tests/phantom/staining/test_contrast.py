from __future__ import annotations

import numpy as np
import pytest

from stainbridge.geometry.frame import Frame, Space
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.phantom.staining.contrast import RANDOM_STAIN, sample_stain
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.phantom.tissue.config import TissueConfig


def test_random_stains_differ_and_are_deterministic() -> None:
    first, again, other = (sample_stain(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first.uptake, first.dyes) == (again.uptake, again.dyes)
    assert first.uptake != other.uptake


def test_some_random_stains_are_fluorescent() -> None:
    fluorescent = [sample_stain(np.random.default_rng(seed)).fluorescent for seed in range(60)]
    assert 0.05 < np.mean(fluorescent) < 0.45


@pytest.mark.parametrize("seed", range(4))
def test_any_random_stain_gives_dye_amounts_that_are_not_negative(seed: int) -> None:
    section = StainedSection(TissueConfig(3, 1600, 1600), sample_stain(np.random.default_rng(seed)))
    amounts = section.draw_dyes(
        Frame(Space("tissue 3", 160, 160, (2.0, 2.0)), 160, 160, (2.0, 2.0), (700, 700))
    )
    assert np.isfinite(amounts).all()
    assert amounts.min() >= 0
    assert amounts.std() > 0.01


def test_a_pair_may_have_random_stains() -> None:
    stains = {"fixed_stain": RANDOM_STAIN, "moving_stain": RANDOM_STAIN}
    pair = generate_pair(seed=2, size_px=128, mpp=8.0, **stains)
    assert pair.fixed.section.stain.uptake != pair.moving.section.stain.uptake
    assert pair.fixed.stain == RANDOM_STAIN
