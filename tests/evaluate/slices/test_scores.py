from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from tests.evaluate.slices.slices import (
    HEIGHT,
    WIDTH,
    draw_labels,
    fold_at,
    make_case,
    make_scene,
    shift,
    true_shift,
)

from stainbridge.evaluate.slices.scores import list_common_labels, measure_folds, score_transform
from stainbridge.geometry.transform import Affine
from stainbridge.metrics.segmentations import score_labels, score_masks
from stainbridge.slides.memory import ArraySlide


@pytest.mark.parametrize("mpp", [None, 2.0])
def test_the_truth_scores_full_overlap_and_no_distance(mpp: float | None) -> None:
    scene = make_scene(make_case(mpp=mpp))
    scores = score_transform(scene, true_shift(scene))
    for name, value in scores.items():
        assert value == pytest.approx(1 if name.startswith("dice") else 0, abs=1e-6), name
    landmarks = {"tre rms px", "tre median px", "rtre median"}
    landmarks |= set() if mpp is None else {"tre rms um", "tre median um"}
    overlaps = {f"{kind} {name}" for kind in ("dice", "hd95", "surface") for name in "12"}
    overlaps |= {"dice mask", "hd95 mask", "surface mask"}
    assert set(scores) == overlaps | landmarks


def test_slices_as_given_score_as_their_files() -> None:
    scene = make_scene(make_case(mpp=2.0))
    scores = score_transform(scene, scene.placement)
    labels = draw_labels()
    for label, expected in score_labels(labels, shift(labels), (2.0, 2.0)).items():
        assert scores[f"dice {label}"] == pytest.approx(expected.dice)
        assert scores[f"hd95 {label}"] == pytest.approx(expected.hd95)
        assert scores[f"surface {label}"] == pytest.approx(expected.mean_surface_distance)
    mask = score_masks(labels > 0, shift(labels) > 0, (2.0, 2.0))
    assert scores["dice mask"] == pytest.approx(mask.dice)
    assert scores["tre rms px"] == pytest.approx(5)  # a shift by 4 and 3
    assert scores["tre median um"] == pytest.approx(10)
    assert scores["rtre median"] == pytest.approx(5 / np.hypot(WIDTH, HEIGHT))


def test_root_mean_square_and_median_of_landmarks_differ() -> None:
    case = make_case()
    assert case.landmarks is not None
    fixed, moving = case.landmarks
    off = np.array([[0.0, 0.0], [0.0, 1.0], [7.0, 0.0]])
    scene = make_scene(replace(case, landmarks=(fixed, moving + off)))
    scores = score_transform(scene, true_shift(scene))
    assert scores["tre median px"] == pytest.approx(1)
    assert scores["tre rms px"] == pytest.approx(np.sqrt(50 / 3))


def test_a_label_of_one_slide_only_is_left_out() -> None:
    labels = draw_labels()
    labels[0, 0] = 7
    scene = make_scene(replace(make_case(), open_fixed_labels=partial(ArraySlide, labels[None])))
    assert list_common_labels(scene) == [1, 2]
    assert "dice 7" not in score_transform(scene, scene.placement)


def test_a_label_that_the_warp_loses_scores_the_worst() -> None:
    scene = make_scene()
    far = np.eye(3)
    far[0, 2] = 500
    away = Affine(far, scene.fixed.frame.space, scene.moving.frame.space)
    scores = score_transform(scene, away)
    assert scores["dice 1"] == 0
    assert scores["hd95 1"] == scores["surface mask"] == pytest.approx(np.hypot(WIDTH, HEIGHT))


def test_folds_are_counted_in_the_tissue_alone() -> None:
    scene = make_scene()
    assert measure_folds(scene, scene.placement) == 0
    assert measure_folds(scene, fold_at(scene, x=44, y=30)) > 0
    outside = fold_at(scene, x=4, y=4)
    assert measure_folds(scene, outside) == 0
    assert measure_folds(replace(scene, masks=(None, None)), outside) > 0


def test_warping_makes_no_labels_between_two_others() -> None:
    labels = np.full((HEIGHT, WIDTH), 10, np.uint8)
    labels[:, 48:] = 30
    labels[20:40, 10:30] = 20
    made = partial(ArraySlide, labels[None])
    scene = make_scene(
        replace(make_case(), open_fixed_labels=made, open_moving_labels=made, landmarks=None)
    )
    half = np.eye(3)
    half[0, 2] = 0.5
    scores = score_transform(scene, Affine(half, scene.fixed.frame.space, scene.moving.frame.space))
    assert scores["dice 20"] >= 0.95  # a shift by one of its 20 columns at most
