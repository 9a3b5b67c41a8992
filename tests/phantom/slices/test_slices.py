"""A generated stack: slowly changing anatomy in two stains, with exact truth."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.phantom.slices.config import SliceStackConfig
from stainbridge.phantom.slices.rendered import generate_slices, render_slice
from stainbridge.phantom.slices.slice_pair import SlicePair, generate_slice
from stainbridge.slides.case import Case
from stainbridge.slides.slide import Slide
from stainbridge.types import Pixels

CONFIG = SliceStackConfig(size_px=96, mpp=8.0)
SIDE = CONFIG.size_px
COUNT = 2


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return generate_slices(CONFIG, COUNT, seed=3)


@pytest.fixture(scope="module")
def pair() -> SlicePair:
    return generate_slice(CONFIG, 1, seed=3)


def _read(open_slide: Callable[[], Slide] | None) -> Pixels:
    assert open_slide is not None
    with open_slide() as slide:
        return slide.read(slide.frame).pixels


def test_a_case_has_both_sides_with_masks_labels_and_landmarks(cases: list[Case]) -> None:
    assert [case.id for case in cases] == [f"slice_{n:03d}" for n in range(COUNT)]
    for case in cases:
        assert _read(case.open_fixed).shape == (3, SIDE, SIDE)
        assert _read(case.open_moving).dtype == np.uint8
        for mask, labels in (
            (case.open_fixed_mask, case.open_fixed_labels),
            (case.open_moving_mask, case.open_moving_labels),
        ):
            classes = _read(labels)
            assert classes.shape == (1, SIDE, SIDE)
            assert classes.dtype == np.uint8
            assert len(np.unique(classes)) > 3
            np.testing.assert_array_equal(_read(mask) > 0, classes > 0)
        assert case.landmarks is not None
        assert len(case.landmarks[0]) >= 6


def test_near_slices_are_more_alike_than_far_ones() -> None:
    first, near, far = (
        render_slice(generate_slice(CONFIG, number, seed=3).fixed).labels for number in (0, 1, 12)
    )
    tissue = np.mean(first > 0)
    change = np.mean(first != near) / tissue
    assert 0.05 < change < 0.4
    assert np.mean(first != far) / tissue > 1.4 * change


def test_the_truth_takes_fixed_landmarks_to_moving_ones(pair: SlicePair) -> None:
    fixed_um = pair.fixed_landmarks.points_um
    moving_um = pair.moving_landmarks.points_um
    np.testing.assert_allclose(pair.truth(fixed_um), moving_um, atol=1e-3)
    np.testing.assert_allclose(pair.truth.inverse()(moving_um), fixed_um, atol=0.02 * CONFIG.mpp)
    assert np.hypot(*(moving_um - fixed_um).T).max() > CONFIG.mpp


def test_the_truth_aligns_the_classes(pair: SlicePair) -> None:
    fixed = render_slice(pair.fixed).labels
    moving = render_slice(pair.moving).labels
    points = pair.fixed.frame.centres_um()
    columns, rows = np.floor(pair.moving.frame.to_px(pair.truth(points))).astype(int).T
    inside = (columns >= 0) & (rows >= 0) & (columns < SIDE) & (rows < SIDE)
    carried = np.zeros(fixed.size, np.uint8)
    carried[inside] = moving[rows[inside], columns[inside]]
    before = np.mean(fixed != moving)
    after = np.mean(fixed.ravel() != carried)
    assert after < 0.5 * before


def test_slices_are_roughly_aligned_already(cases: list[Case]) -> None:
    for case in cases:
        fixed = _read(case.open_fixed_mask) > 0
        moving = _read(case.open_moving_mask) > 0
        assert 2 * (fixed & moving).sum() / (fixed.sum() + moving.sum()) > 0.85


def test_each_moving_slice_lies_in_its_own_way_and_harder_ones_lie_worse() -> None:
    shifts = {
        difficulty: [
            float(np.median(np.hypot(*(pair.moving_landmarks.points_um - fixed).T)))
            for number in range(4)
            for pair in [generate_slice(_configure(difficulty), number, seed=3)]
            for fixed in [pair.fixed_landmarks.points_um]
        ]
        for difficulty in ("easy", "hard")
    }
    assert len(set(shifts["hard"])) == 4
    assert np.mean(shifts["easy"]) < 0.6 * np.mean(shifts["hard"])


def _configure(difficulty: str) -> SliceStackConfig:
    return SliceStackConfig(size_px=96, mpp=8.0, difficulty=difficulty)  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_slice_in_any_process(cases: list[Case]) -> None:
    again = pickle.loads(pickle.dumps(generate_slices(CONFIG, 1, seed=3)[0]))
    np.testing.assert_array_equal(_read(again.open_moving), _read(cases[0].open_moving))
    other = generate_slices(CONFIG, 1, seed=4)[0]
    assert (_read(other.open_moving) != _read(cases[0].open_moving)).any()


def test_a_slice_does_not_depend_on_how_many_there_are(cases: list[Case], pair: SlicePair) -> None:
    np.testing.assert_array_equal(_read(cases[1].open_fixed), render_slice(pair.fixed).picture)


def test_random_colours_are_the_same_through_a_stack() -> None:
    config = SliceStackConfig(size_px=96, mpp=8.0, fixed_stain="random", moving_stain="random")
    first, later = (generate_slice(config, number, seed=1) for number in (0, 5))
    assert first.fixed.section.stain == later.fixed.section.stain
    assert first.fixed.section.stain != first.moving.section.stain


def test_fluorescence_is_dark_outside_the_tissue() -> None:
    config = SliceStackConfig(size_px=96, mpp=8.0, fixed_stain="IF")
    side = render_slice(generate_slice(config, 0).fixed)
    assert side.picture.dtype == np.uint8
    assert side.picture[:, side.mask == 0].mean() < side.picture[:, side.mask > 0].mean() - 5


@pytest.mark.parametrize(
    "changes",
    [{"spacing_um": 0.0}, {"drift": -0.1}, {"fixed_stain": "ink"}, {"size_px": 8}, {"mpp": 0.0}]
    + [{"difficulty": name} for name in ("faint", "dense", "absurd")],
)
def test_settings_that_make_no_stack_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InputError):
        SliceStackConfig(**changes)  # type: ignore[arg-type]


def test_a_stack_of_no_slices_is_refused() -> None:
    with pytest.raises(InputError, match="needs slices"):
        generate_slices(CONFIG, 0)
