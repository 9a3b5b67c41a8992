"""Mask scores against SimpleITK, brute force by scipy, and cases worked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import SimpleITK
from scipy.spatial.distance import cdist

from stainbridge.errors import InputError
from stainbridge.metrics.segmentations import dice, score_labels, score_masks

Array = np.ndarray[Any, Any]
SPACING = (0.5, 2.0)


def ellipse(x: float, y: float, rx: float, ry: float) -> Array:
    rows, columns = np.mgrid[:80, :90]
    return ((columns - x) / rx) ** 2 + ((rows - y) / ry) ** 2 < 1


ROUND = ellipse(40, 38, 25, 20)
BITTEN = ellipse(45, 36, 22, 24) & ~ellipse(60, 30, 9, 9)


def outline(mask: Array) -> Array:
    """(N, 2) x, y of pixels inside with a side neighbour outside."""
    padded = np.pad(mask, 1)
    surrounded = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.argwhere(mask & ~surrounded)[:, ::-1]


def itk(mask: Array) -> SimpleITK.Image:
    image = SimpleITK.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(SPACING)
    return image


def test_distances_are_those_between_all_outline_pixels() -> None:
    table = cdist(outline(ROUND) * SPACING, outline(BITTEN) * SPACING)
    there, back = table.min(axis=1), table.min(axis=0)
    scores = score_masks(ROUND, BITTEN, SPACING)
    assert scores.hausdorff == pytest.approx(max(there.max(), back.max()))
    assert scores.hd95 == pytest.approx(max(np.percentile(there, 95), np.percentile(back, 95)))
    assert scores.mean_surface_distance == pytest.approx((there.mean() + back.mean()) / 2)


def test_overlap_and_hausdorff_are_simpleitks() -> None:
    overlap, distance = (
        SimpleITK.LabelOverlapMeasuresImageFilter(),
        SimpleITK.HausdorffDistanceImageFilter(),
    )
    overlap.Execute(itk(ROUND), itk(BITTEN))
    distance.Execute(*(SimpleITK.LabelContour(itk(mask)) for mask in (ROUND, BITTEN)))
    scores = score_masks(ROUND, BITTEN, SPACING)
    assert scores.dice == pytest.approx(overlap.GetDiceCoefficient())
    assert scores.hausdorff == pytest.approx(distance.GetHausdorffDistance())


def test_two_squares_by_hand() -> None:
    a, b = np.zeros((2, 20, 20), bool)
    a[5:10, 5:10] = b[5:10, 8:13] = True  # 25 pixels each, 10 shared, 3 apart
    scores = score_masks(a, b)
    assert scores.dice == 20 / 50
    assert scores.hausdorff == 3
    assert 0 < scores.mean_surface_distance < 3


def test_masks_at_the_picture_border_have_their_outline_there() -> None:
    a, b = np.ones((2, 12, 12), bool)
    b[:, 9:] = False
    assert score_masks(a, b, (2, 1)).hausdorff == 6


def test_a_mask_agrees_with_itself_and_order_does_not_matter() -> None:
    same = score_masks(ROUND, ROUND)
    assert (same.dice, same.hausdorff, same.hd95, same.mean_surface_distance) == (1, 0, 0, 0)
    assert score_masks(ROUND, BITTEN) == score_masks(BITTEN, ROUND)


def test_distances_scale_with_the_spacing() -> None:
    near, far = score_masks(ROUND, BITTEN), score_masks(ROUND, BITTEN, (3, 3))
    assert far.hausdorff == pytest.approx(3 * near.hausdorff)
    assert far.dice == near.dice


def test_labels_are_compared_one_by_one() -> None:
    a, b = np.zeros((2, 80, 90), np.uint8)
    a[ROUND], b[BITTEN] = 7, 7
    a[70:, :5], b[70:, :6] = 2, 2
    a[0, 0] = 9
    scores = score_labels(a, b, SPACING)
    assert list(scores) == [2, 7, 9]
    assert scores[7] == score_masks(ROUND, BITTEN, SPACING)
    assert scores[2].dice == pytest.approx(2 * 50 / 110)
    assert (scores[9].dice, scores[9].hausdorff) == (0, float("inf"))


EMPTY = np.zeros_like(ROUND)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (EMPTY, ROUND, "the first mask: the mask is empty"),
        (ROUND, EMPTY, "the second mask: the mask is empty"),
        (EMPTY, EMPTY, "both masks are empty"),
        (ROUND, ROUND[1:], "same size"),
    ],
)
def test_empty_masks_and_other_sizes_are_refused(a: Array, b: Array, message: str) -> None:
    with pytest.raises(InputError, match=message):
        score_masks(a, b)


def test_pictures_are_no_labels() -> None:
    many = np.arange(80 * 90, dtype=np.uint16).reshape(80, 90)
    with pytest.raises(InputError, match="not a label picture"):
        score_labels(many, many)
    with pytest.raises(InputError, match="second picture: the mask is empty"):
        score_labels(ROUND.astype(np.uint8), EMPTY.astype(np.uint8))


def test_dice_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="both masks are empty"):
        dice(EMPTY, EMPTY)
