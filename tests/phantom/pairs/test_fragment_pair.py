"""Slides of pieces: exact truth in each piece, whatever is turned, swapped, missing or added."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.imaging.colour import tissue_density
from stainbridge.phantom.pairs.case_files import describe_fragments, write_case
from stainbridge.phantom.pairs.fragment_config import FragmentsConfig
from stainbridge.phantom.pairs.fragment_pair import FragmentPair, generate_fragments

SMALL = FragmentsConfig(
    seed=4, size_px=256, mpp=12.0, pieces=3, missing=0, control=False, swapped=True
)


@pytest.fixture(scope="module")
def pair() -> FragmentPair:
    return generate_fragments(SMALL)


def test_landmarks_follow_the_truth_and_name_their_piece(pair: FragmentPair) -> None:
    fixed, moving = pair.fixed_landmarks, pair.moving_landmarks
    assert np.allclose(pair.truth(fixed.points_um), moving.points_um, atol=0.01)
    assert np.allclose(pair.truth.inverse()(moving.points_um), fixed.points_um, atol=0.05)
    assert {label.split(":")[0] for label in fixed.labels} == set(pair.partners)
    assert fixed.labels == moving.labels
    assert pair.find_valid(fixed.points_um).all()


def test_pieces_lie_on_the_glass_where_the_regions_say(pair: FragmentPair) -> None:
    """No piece reaches into another's region, and what is outside all regions is bare."""
    image = pair.moving.read(pair.moving.frame)
    density = tissue_density(image)
    regions = [piece.target_region for piece in pair.truth.pieces]
    masks = np.stack([region.mask for region in regions])
    assert (masks.sum(axis=0) <= 1).all()
    assert regions[0].frame.height == image.frame.height
    beside = np.stack(
        [region.measure_distance_um(image.frame.centres_um()) for region in regions]
    ).min(axis=0)
    far = beside.reshape(density.shape) > 60
    assert density[far].mean() < 0.1
    assert density[masks.any(axis=0)].mean() > 0.2


def test_swapped_pieces_lie_in_each_others_places(pair: FragmentPair) -> None:
    fixed = [item.centre_um for item in pair.fixed.fragments]
    moving = [item.centre_um for item in pair.moving.fragments]
    assert sorted(fixed) == sorted(moving)
    assert fixed != moving


def test_missing_pieces_and_control_tissue_have_no_partner() -> None:
    pair = generate_fragments(SMALL, pieces=5, missing=2, control=True)
    assert len(pair.partners) == 3
    names = [item.name for item in (*pair.fixed.fragments, *pair.moving.fragments)]
    assert names.count("control") == 1
    assert len(names) == 2 * 3 + 2 + 1
    assert len(pair.truth.pieces) == 3


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_truth_shows_no_tissue_on_bare_glass(seed: int) -> None:
    """Not in either direction, and neither missing pieces nor control tissue."""
    pair = generate_fragments(SMALL, seed=seed, pieces=5, missing=2, control=True)
    assert pair.measure_ghosts(pair.truth, margin_um=50) < 0.001
    plain = pair.truth.pieces[0].transform
    assert pair.measure_ghosts(plain, margin_um=50) > 0.1


def test_cores_lie_in_rows_and_turn_little() -> None:
    pair = generate_fragments(SMALL, arrangement="cores", pieces=6, swapped=None)
    for fixed, moving in zip(pair.fixed.fragments, pair.moving.fragments, strict=True):
        assert fixed.centre_um == moving.centre_um
        assert abs(moving.deformation.rotation_deg) <= 12
        assert not moving.deformation.flip


def test_a_part_reads_as_in_the_whole_and_a_copy_reads_the_same(pair: FragmentPair) -> None:
    whole = pair.moving.read(pair.moving.frame).pixels
    copy = pickle.loads(pickle.dumps(pair)).moving
    part = copy.read(copy.frame.crop(40, 60, 130, 120)).pixels
    np.testing.assert_array_equal(part, whole[:, 60:180, 40:170])


def test_the_seed_decides_everything() -> None:
    drawn = [describe_fragments(generate_fragments(size_px=128, mpp=20.0, seed=n)) for n in (3, 3)]
    assert drawn[0] == drawn[1]
    other = describe_fragments(generate_fragments(size_px=128, mpp=20.0, seed=5))
    assert other["moving_pieces"] != drawn[0]["moving_pieces"]


def test_it_is_written_as_a_case(pair: FragmentPair, tmp_path: Path) -> None:
    files = write_case(pair, tmp_path, "case_0")
    labels = (tmp_path / files["fixed_landmarks"]).read_text(encoding="utf-8")
    assert "piece 1: 1" in labels
    assert all((tmp_path / name).is_file() for name in files.values())


@pytest.mark.parametrize(
    "wrong",
    [
        {"arrangement": "heap"},
        {"pieces": 1},
        {"pieces": 13},
        {"size_px": 64, "mpp": 1.0},
        {"missing": -1},
        {"organ": "wing"},
        {"moving_stain": "tea"},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        generate_fragments(**wrong)
