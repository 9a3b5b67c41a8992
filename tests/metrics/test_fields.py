"""Fields: known maps have known area factors; SimpleITK agrees on a bent one."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.transform import Affine, DisplacementField
from stainbridge.metrics.fields import area_factors, inverse_consistency, score_jacobian

FIXED = Space("fixed", height=60, width=80, mpp=(2.0, 3.0)).frame
MOVING = Space("moving", height=60, width=80, mpp=(2.0, 3.0)).frame


def affine(*rows: tuple[float, float, float]) -> Affine:
    return Affine(np.array([*rows, (0, 0, 1)], float), FIXED.space, MOVING.space)


def wave(height_um: float, to: Frame = MOVING) -> DisplacementField:
    """Move x by height_um · sin(2π x / 80 µm).

    The area factor is 1 + height_um · 2π / 80 · cos(2π x / 80 µm).
    """
    x = FIXED.centres_um()[:, 0].reshape(FIXED.height, FIXED.width)
    u = np.stack([height_um * np.sin(2 * np.pi * x / 80), np.zeros_like(x)])
    return DisplacementField(u.astype(np.float32), FIXED, FIXED.space, to.space)


def test_an_affine_map_has_its_determinant_everywhere() -> None:
    scores = score_jacobian(affine((2, 0.5, 9), (0, 1.5, -4)), FIXED)
    assert [scores.min, scores.median, scores.max] == pytest.approx([3, 3, 3], rel=1e-4)
    assert scores.log_deviation == pytest.approx(0, abs=1e-4)
    assert (scores.folded, scores.flipped) == (0, False)


def test_a_mirror_is_no_fold() -> None:
    scores = score_jacobian(affine((-1, 0, 160), (0, 1, 0)), FIXED)
    assert scores.flipped
    assert scores.folded == 0
    assert scores.median == pytest.approx(1, rel=1e-4)


def test_the_share_of_folds_is_that_of_the_map() -> None:
    # 1 + 2·cos(t) ≤ 0 on a third of each period
    scores = score_jacobian(wave(2 * 80 / (2 * np.pi)), FIXED)
    assert scores.folded == pytest.approx(1 / 3, abs=0.03)
    assert scores.min == pytest.approx(-1, abs=0.05)
    assert scores.max == pytest.approx(3, abs=0.05)


def test_the_spread_is_that_of_the_logarithm() -> None:
    t = np.linspace(0, 2 * np.pi, 10_000, endpoint=False)
    scores = score_jacobian(wave(0.5 * 80 / (2 * np.pi)), FIXED)
    assert scores.log_deviation == pytest.approx(np.log(1 + 0.5 * np.cos(t)).std(), rel=0.02)


def test_area_factors_are_those_of_simpleitk() -> None:
    u = np.random.default_rng(3).normal(0, 1, (2, FIXED.height, FIXED.width)).astype(np.float32)
    field = SimpleITK.GetImageFromArray(np.moveaxis(u, 0, -1).astype(np.float64), isVector=True)
    field.SetSpacing(FIXED.mpp)
    expected = SimpleITK.GetArrayFromImage(SimpleITK.DisplacementFieldJacobianDeterminant(field))
    got = area_factors(DisplacementField(u, FIXED, FIXED.space, MOVING.space), FIXED)
    np.testing.assert_allclose(got[1:-1, 1:-1], expected[1:-1, 1:-1], atol=1e-5)


def test_only_the_masked_part_counts() -> None:
    where = np.zeros((FIXED.height, FIXED.width), bool)
    where[:, 18:23] = True  # around x = 40 µm, where the wave is steepest downwards
    assert score_jacobian(wave(2 * 80 / (2 * np.pi)), FIXED, where).folded == 1


@pytest.mark.parametrize("where", [np.zeros((60, 80), bool), np.ones((80, 60), bool)])
def test_an_empty_mask_or_one_of_another_size_is_refused(where: np.ndarray) -> None:
    with pytest.raises(InputError, match="mask"):
        score_jacobian(wave(1), FIXED, where)


def test_a_transform_and_its_inverse_are_consistent() -> None:
    field = wave(4)
    assert inverse_consistency(field, field.inverse(), FIXED).max < 1e-3


def test_inconsistency_is_a_distance_in_the_first_space() -> None:
    there = affine((2, 0, 10), (0, 2, 0))
    back = Affine(np.array([[0.5, 0, -5 + 3], [0, 0.5, 4], [0, 0, 1.0]]), MOVING.space, FIXED.space)
    errors = inverse_consistency(there, back, FIXED)
    assert [errors.median, errors.mean, errors.p90, errors.max] == pytest.approx([5] * 4)


def test_transforms_that_do_not_lead_back_are_refused() -> None:
    with pytest.raises(InputError, match="lead back"):
        inverse_consistency(wave(1, to=FIXED), affine((1, 0, 0), (0, 1, 0)), FIXED)
