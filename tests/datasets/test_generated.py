"""Generated pairs to train on."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from stainbridge.datasets.generated import GeneratedPairs
from stainbridge.errors import InputError
from stainbridge.registration.sections.section import read_section
from stainbridge.registration.training.config import GeneratedConfig
from stainbridge.registration.training.pairs import TrainingPair

PAIRS = GeneratedPairs(GeneratedConfig(160, (6.0, 8.0), ("HE", "PanCK"), "easy"), 3)


@pytest.fixture(scope="module")
def pair() -> TrainingPair:
    return PAIRS[4]


def test_a_number_is_always_the_same_pair(pair: TrainingPair) -> None:
    again = pickle.loads(pickle.dumps(PAIRS))[4]
    assert np.array_equal(
        pair.fixed.read(pair.fixed.frame).pixels, again.fixed.read(again.fixed.frame).pixels
    )
    points = pair.fixed.frame.centres_um()[::500]
    assert np.allclose(pair.moving_from_fixed(points), again.moving_from_fixed(points))


def test_the_truth_takes_tissue_to_tissue(pair: TrainingPair) -> None:
    fixed, moving = read_section(pair.fixed, 160), read_section(pair.moving, 160)
    assert fixed is not None
    assert moving is not None
    tissue = fixed.frame.centres_um()[fixed.region.ravel()]
    moving_px = np.floor(moving.frame.to_px(pair.moving_from_fixed(tissue))).astype(int)
    size = (moving.frame.width, moving.frame.height)
    inside = (moving_px >= 0).all(axis=1) & (moving_px < size).all(axis=1)
    assert moving.outline[moving_px[inside, 1], moving_px[inside, 0]].mean() > 0.95


def test_the_slides_lie_in_the_spaces_of_the_truth(pair: TrainingPair) -> None:
    assert pair.fixed.frame.label == pair.moving_from_fixed.source.frame.label
    assert pair.moving.frame.label == pair.moving_from_fixed.target.frame.label
    assert {pair.fixed.stain, pair.moving.stain} <= {"HE", "PanCK"}


def test_other_numbers_are_other_tissue(pair: TrainingPair) -> None:
    other = PAIRS[5]
    assert not np.array_equal(
        other.fixed.read(other.fixed.frame).pixels, pair.fixed.read(pair.fixed.frame).pixels
    )


def test_slides_that_may_be_too_small_are_refused_before_one_is_made() -> None:
    with pytest.raises(InputError, match=r"size_px x mpp >= 400 µm; got 128 x 1\.5"):
        GeneratedPairs(GeneratedConfig(128, (1.5, 8.0)), 0)


def test_stains_nobody_knows_are_refused() -> None:
    with pytest.raises(InputError):
        GeneratedConfig(mpp=(3.0, 2.0))
    with pytest.raises(InputError, match="purple"):
        GeneratedPairs(GeneratedConfig(stains=("purple",)), 0)
