"""Patches in bulk: deterministic, exactly displaced, and what they show obeys the displacement."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import cv2
import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.field import jacobian_determinant
from stainbridge.phantom.block import BlockConfig
from stainbridge.phantom.patches import PatchConfig, Patches, PatchPair

SAME = BlockConfig(
    mpp=(2.0, 2.0), stains=("HE",), organs=("gland",), distance_um=0.0, laboratory_variation=0.0
)
CONFIG = PatchConfig(size_px=128, pairs_per_block=4, block=SAME)


@pytest.fixture(scope="module")
def patches() -> Patches:
    return Patches(CONFIG, seed=3)


def test_the_same_number_is_the_same_pair_in_any_order(patches: Patches) -> None:
    again = Patches(CONFIG, seed=3)
    for number in (5, 1):
        for first, second in zip(patches[number], again[number], strict=True):
            np.testing.assert_array_equal(first, second)


def test_numbers_and_seeds_give_other_pairs(patches: Patches) -> None:
    first, *others = (patches[0], patches[1], patches[4], Patches(CONFIG, seed=4)[0])
    for other in others:
        assert np.abs(first.fixed.astype(float) - other.fixed).mean() > 5
    assert len(list(islice(iter(patches), 3))) == 3


def test_a_pair_has_one_shape(patches: Patches) -> None:
    pair = patches[0]
    assert pair.fixed.shape == pair.moving.shape == (3, 128, 128)
    assert pair.displacement.shape == (2, 128, 128)
    assert pair.displacement.dtype == np.float32
    assert pair.valid.shape == (128, 128)
    assert pair.valid.dtype == bool
    assert pair.stains == ("HE", "HE")
    assert pair.mpp == 2.0


def warp_moving(pair: PatchPair) -> np.ndarray:
    """Return the moving patch warped onto the fixed one, (H, W, 3)."""
    y, x = np.mgrid[0:128, 0:128].astype(np.float32)
    return cv2.remap(
        np.ascontiguousarray(np.moveaxis(pair.moving, 0, -1)),
        x + pair.displacement[0],
        y + pair.displacement[1],
        1,
    )


@pytest.mark.parametrize("number", [0, 1, 6, 9])
def test_the_displacement_brings_the_moving_patch_onto_the_fixed_one(
    patches: Patches, number: int
) -> None:
    pair = patches[number]
    before, after = (
        np.abs(np.moveaxis(pair.fixed, 0, -1).astype(float) - picture)[pair.valid].mean()
        for picture in (np.moveaxis(pair.moving, 0, -1), warp_moving(pair))
    )
    assert pair.valid.mean() > 0.2
    assert after < 0.35 * before


@pytest.mark.parametrize("number", range(6))
def test_displacements_do_not_fold_and_keep_the_patch_where_they_are_valid(number: int) -> None:
    strong = Patches(replace(CONFIG, elastic=0.2, rotation_deg=40.0), seed=1)
    pair = strong[number]
    assert jacobian_determinant(pair.displacement, (1.0, 1.0)).min() > 0.1
    places = np.stack(np.meshgrid(np.arange(128), np.arange(128))) + pair.displacement
    assert ((places >= 0) & (places <= 127)).all(axis=0)[pair.valid].all()


def test_stains_are_drawn_from_those_asked_for() -> None:
    config = PatchConfig(
        size_px=64, pairs_per_block=1, block=BlockConfig(stains=("random", "Masson"))
    )
    stains = {name for number in range(4) for name in Patches(config)[number].stains}
    assert stains == {"random", "Masson"}


@pytest.mark.parametrize(
    "make",
    [
        lambda: PatchConfig(size_px=8),
        lambda: PatchConfig(pairs_per_block=0),
        lambda: PatchConfig(elastic=-1),
        lambda: BlockConfig(mpp=(3.0, 1.0)),
        lambda: BlockConfig(stains=()),
        lambda: BlockConfig(stains=("Giemsa",)),
        lambda: BlockConfig(organs=("spleen",)),
        lambda: BlockConfig(distance_um=-1),
        lambda: Patches()[-1],
    ],
)
def test_impossible_patches_are_refused(make: object) -> None:
    with pytest.raises(InputError):
        make()  # type: ignore[operator]
