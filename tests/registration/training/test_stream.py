"""Samples of pairs: what the truth says is what is seen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from tests.registration.training.sections import Blobs, identity, section

from stainbridge.errors import InputError
from stainbridge.geometry.field import jacobian_determinant
from stainbridge.geometry.flow import warp
from stainbridge.geometry.frame import Space
from stainbridge.geometry.transform import Affine
from stainbridge.registration.training.augment import (
    change_contrast,
    draw_deformation,
    draw_orientation,
)
from stainbridge.registration.training.config import AugmentConfig, PairsConfig
from stainbridge.registration.training.pairs import CasePairs, PairCache, TrainingPair
from stainbridge.registration.training.stream import PairStream, approximate_by_field
from stainbridge.slides.case import Case
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide

BOTH = AugmentConfig(
    rotation_deg=(-20, 20), scale=(0.9, 1.1), shear_deg=(-5, 5), shift=0.05, elastic=0.02
)
WHOLE = PairsConfig(section_px=(96, 96), augment=BOTH, reuse=2, cached_pairs=2)
PATCHES = PairsConfig(section_px=(128, 256), patch_px=64, augment=BOTH)


@pytest.mark.parametrize("config", [WHOLE, PATCHES], ids=["whole", "patches"])
def test_the_truth_brings_the_moving_picture_onto_the_fixed_one(config: PairsConfig) -> None:
    stream = PairStream(Blobs(), config, seed=3)
    better = []
    for number in range(4):
        sample = stream[number]
        warped = warp(sample.moving_density[None], sample.truth[None], "zeros")[0]
        before = (sample.moving_density - sample.fixed_density).abs()[sample.tissue > 0].mean()
        after = (warped - sample.fixed_density).abs()[sample.tissue > 0].mean()
        better.append(float(after / before))
    assert np.median(better) < 0.4


def test_a_sample_depends_on_its_number_and_the_seed_alone() -> None:
    stream = PairStream(Blobs(), WHOLE, 1)
    again = PairStream(Blobs(), WHOLE, 1)
    [stream[number] for number in (5, 0)]
    assert all(torch.equal(a, b) for a, b in zip(stream[2], again[2], strict=True))
    assert not torch.equal(stream[2].fixed, PairStream(Blobs(), WHOLE, 2)[2].fixed)


def test_a_patch_has_its_size_and_the_section_its_aspect() -> None:
    assert PairStream(Blobs(), PATCHES, 0)[0].fixed.shape == (1, 64, 64)
    upright = replace(WHOLE, augment=AugmentConfig(turn_deg=0, mirror=False))
    height, width = PairStream(Blobs(), upright, 0)[0].fixed.shape[1:]
    assert width == 96
    assert 0.6 < height / width < 0.85


def test_square_sections_share_a_batch() -> None:
    stream = PairStream(Blobs(), replace(WHOLE, square=True), 0)
    assert {tuple(stream[number].fixed.shape) for number in range(4)} == {(1, 96, 96)}


def test_patches_can_be_asked_to_hold_tissue() -> None:
    still = replace(
        PATCHES, section_px=(96, 96), patch_px=48, augment=AugmentConfig(turn_deg=0, mirror=False)
    )
    shares = [
        [float(stream[number].tissue.mean()) for number in range(8)]
        for stream in (
            PairStream(Blobs(), replace(still, min_tissue=least), 0) for least in (0.0, 0.8)
        )
    ]
    assert min(shares[0]) < 0.6 < min(shares[1])


def test_patches_at_a_pixel_size() -> None:
    still = replace(PATCHES, mpp=2.0, augment=AugmentConfig(turn_deg=0, mirror=False))
    sample = PairStream(Blobs(), still, 0)[0]
    assert sample.truth.abs().max() == 0
    assert torch.allclose(sample.fixed, sample.moving, atol=1e-3)


@dataclass(frozen=True)
class Counted:
    opened: list[int]
    closed: list[str]

    def __getitem__(self, number: int) -> TrainingPair:
        self.opened.append(number)
        pair = Blobs()[number]
        pair.fixed.close = lambda: self.closed.append(f"{number}")  # type: ignore[method-assign]
        return pair


def test_cached_pairs_are_prepared_once_and_closed() -> None:
    pairs = Counted([], [])
    cache = PairCache(pairs, 2)
    for number in (0, 1, 0, 2, 0, 1):
        cache[number]
    assert (pairs.opened, pairs.closed) == ([0, 1, 2, 1], ["1", "2"])


def test_no_pairs_are_refused() -> None:
    with pytest.raises(InputError, match="no pairs to train on"):
        CasePairs([], lambda fixed, moving: identity(fixed.frame, moving.frame))


def test_cases_are_aligned_by_landmarks_and_else_as_told() -> None:
    aligned: list[str] = []

    def align(fixed: Slide, moving: Slide) -> Affine:
        aligned.append(fixed.info.path)
        return identity(fixed.frame, moving.frame)

    points = np.array([[10.0, 10], [90, 20], [40, 120]])
    marked = Case("a", section, lambda: section(0, "moving"), (points, points + 5))
    plain = Case("b", lambda: section(1, "b"), lambda: section(1, "c"))
    pairs = CasePairs((marked, plain), align)
    assert np.allclose(pairs[2].moving_from_fixed(points * 2.0), (points + 5) * 2.0)
    assert np.allclose(pairs[1].moving_from_fixed(points), points)
    assert np.allclose(pairs[3].moving_from_fixed(points), points)
    assert aligned == ["b"]


def test_a_slide_without_tissue_is_one_line() -> None:
    @dataclass(frozen=True)
    class Blank:
        def __getitem__(self, number: int) -> TrainingPair:
            blank = ArraySlide(np.full((3, 80, 80), 240, np.uint8), 1.0, "blank")
            return TrainingPair(blank, blank, identity(blank.frame, blank.frame))

    with pytest.raises(InputError, match="blank: no tissue found"):
        PairStream(Blank(), WHOLE, 0)[0]


def test_drawn_deformations_do_not_fold_and_reach_the_asked_size() -> None:
    view = Space("view", 96, 128, (2.0, 2.0)).frame
    config = AugmentConfig(elastic=0.05)
    for seed in range(5):
        field = draw_deformation(np.random.default_rng(seed), config, view).to_field(view)
        assert jacobian_determinant(field.displacement, view.mpp).min() > 0
        assert 0.002 < np.sqrt(np.square(field.displacement).sum(0).mean()) / 256 < 0.08


def test_a_field_approximates_a_transform() -> None:
    view = Space("view", 96, 128, (2.0, 2.0)).frame
    whole = draw_deformation(np.random.default_rng(1), replace(BOTH, elastic_nodes=(3, 4)), view)
    points = view.centres_um()[
        (view.centres_um() > 10).all(axis=1) & (view.centres_um() < 180).all(axis=1)
    ]
    assert np.abs(approximate_by_field(whole, view)(points) - whole(points)).max() < 0.2 * 2.0


def test_a_turn_keeps_lengths_and_mirrors_half_the_time() -> None:
    orientations = [
        draw_orientation(np.random.default_rng(seed), AugmentConfig()) for seed in range(60)
    ]
    assert all(np.allclose(matrix @ matrix.T, np.eye(2)) for matrix in orientations)
    assert 15 < sum(np.linalg.det(matrix) < 0 for matrix in orientations) < 45


def test_new_contrasts_keep_glass_dark_and_the_range() -> None:
    density = np.zeros((40, 50), np.float32)
    density[10:30, 10:30] = np.linspace(0.1, 1.2, 20)
    rng = np.random.default_rng(0)
    pictures = [change_contrast(rng, density, AugmentConfig(contrast=1.0)) for _ in range(10)]
    assert all((picture[density == 0] == 0).all() and picture.max() <= 1.2 for picture in pictures)
    orders = [np.corrcoef(picture[density > 0], density[density > 0])[0, 1] for picture in pictures]
    assert min(orders) < 0.5
    assert np.array_equal(change_contrast(rng, density, AugmentConfig()), density)


@pytest.mark.parametrize("wrong", [{"scale": (0.0, 1.0)}, {"elastic": -1.0}])
def test_impossible_augmentation_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        AugmentConfig(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [{"section_px": (8, 8)}, {"patch_px": 8}, {"reuse": 0}, {"mpp": 0.0}, {"min_tissue": 70.0}],
)
def test_impossible_pairs_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        PairsConfig(**wrong)  # type: ignore[arg-type]
