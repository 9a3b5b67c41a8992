"""Transforms: a map and its inverse undo each other, maps meet only where their spaces do."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.transform import (
    Affine,
    Chain,
    DisplacementField,
    InverseField,
    Projective,
    Transform,
    split_chain,
)
from stainbridge.types import Matrix, Points

FIXED = Space("fixed", 300, 400, (2.0, 2.0)).frame
MOVING = Space("moving", 500, 450, (1.5, 1.5)).frame
THIRD = Space("third", 200, 200).frame


def turned(
    degrees: float, scale: float, flip: bool, shift: tuple[float, float] = (0.0, 0.0)
) -> Matrix:
    """Mirrored in x where `flip`, then scaled and turned, then shifted."""
    angle = np.radians(degrees)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.eye(3)
    matrix[:2, :2] = linear @ np.diag([-1.0 if flip else 1.0, 1.0])
    matrix[:2, 2] = shift
    return matrix


def smooth_field(
    seed: int, amplitude_um: float, source: Space = FIXED.space, target: Space = FIXED.space
) -> DisplacementField:
    """Make displacements of up to `amplitude_um` that vary over about 90 µm."""
    grid = source.frame.at_mpp(10.0)
    noise = np.random.default_rng(seed).normal(size=(2, grid.height, grid.width))
    bend = gaussian_filter(noise, (0, 9, 9))
    return DisplacementField(
        (bend * amplitude_um / np.abs(bend).max()).astype(np.float32), grid, source, target
    )


def inner_points(frame: Frame, count: int = 200, seed: int = 1) -> Points:
    return np.random.default_rng(seed).uniform(0.05, 0.95, (count, 2)) * frame.size_um


degrees = st.floats(-179, 180)
scales = st.floats(0.3, 3)
shifts = st.tuples(st.floats(-2000, 2000), st.floats(-2000, 2000))
affines = st.builds(
    lambda *a: Affine(turned(*a), FIXED.space, MOVING.space), degrees, scales, st.booleans(), shifts
)
fields = st.builds(smooth_field, st.integers(0, 1000), st.floats(0, 40))


def assert_undone(transform: Transform, tolerance_um: float) -> None:
    points = inner_points(FIXED)
    back = transform.inverse()
    np.testing.assert_allclose(back(transform(points)), points, rtol=0, atol=tolerance_um)
    np.testing.assert_allclose(back.inverse()(points), transform(points), rtol=0, atol=tolerance_um)
    assert (back.source, back.target) == (transform.target, transform.source)


@given(affines)
def test_an_affine_is_undone_by_its_inverse(transform: Affine) -> None:
    assert isinstance(transform.inverse(), Affine)
    assert_undone(transform, 1e-6)


@given(affines, st.floats(-2e-4, 2e-4), st.floats(-2e-4, 2e-4))
def test_a_homography_is_undone_by_its_inverse(affine: Affine, a: float, b: float) -> None:
    matrix = affine.matrix @ np.array([[1, 0, 0], [0, 1, 0], [a, b, 1]])
    assert_undone(Projective(matrix, FIXED.space, MOVING.space), 1e-5)


@settings(max_examples=25, deadline=None)
@given(fields)
def test_a_field_is_undone_by_its_inverse(field: DisplacementField) -> None:
    assert_undone(field, 0.01)
    target = inner_points(FIXED, seed=2)
    np.testing.assert_allclose(field(field.inverse()(target)), target, rtol=0, atol=0.01)


@settings(max_examples=25, deadline=None)
@given(fields, affines)
def test_a_chain_is_undone_by_its_inverse(field: DisplacementField, affine: Affine) -> None:
    assert_undone(field.then(affine), 0.05)


@given(degrees, scales, st.booleans(), shifts)
def test_an_affine_knows_its_turn_scale_and_flip(
    degrees: float, scale: float, flip: bool, shift: tuple[float, float]
) -> None:
    affine = Affine(turned(degrees, scale, flip, shift), FIXED.space, MOVING.space)
    assert affine.flip is flip
    assert affine.scale == pytest.approx(scale)
    assert affine.rotation_deg == pytest.approx(degrees, abs=1e-6)


@given(affines, fields)
def test_then_applies_the_first_map_first(affine: Affine, field: DisplacementField) -> None:
    points = inner_points(FIXED, 20)
    both = field.then(affine)
    np.testing.assert_array_equal(both(points), affine(field(points)))
    assert (both.source, both.target) == (field.source, affine.target)


def test_chains_of_chains_are_one_flat_chain() -> None:
    first, second = smooth_field(1, 10), Affine(turned(20, 1.1, True), FIXED.space, MOVING.space)
    third = Affine(np.eye(3), MOVING.space, THIRD.space)
    assert split_chain(first.then(second).then(third)) == (first, second, third)
    assert split_chain(first.then(second.then(third))) == (first, second, third)
    assert split_chain(second) == (second,)


def test_maps_whose_spaces_do_not_meet_are_refused() -> None:
    affine = Affine(np.eye(3), FIXED.space, MOVING.space)
    with pytest.raises(InputError, match=r"do not meet.*'moving'.*fixed"):
        affine.then(affine)
    with pytest.raises(InputError, match="at least one"):
        Chain(())


def test_slides_of_the_same_name_and_size_do_not_meet() -> None:
    first, second, third = (Space("0001.png", 300, 400, (0.5, 0.5)) for _ in range(3))
    moving_from_fixed = Affine(np.eye(3), first, second)
    with pytest.raises(InputError, match="do not meet"):
        moving_from_fixed.then(moving_from_fixed)
    with pytest.raises(InputError, match="do not meet"):
        moving_from_fixed.then(Affine(np.eye(3), third, first))
    assert moving_from_fixed.then(moving_from_fixed.inverse()).target == first


def test_a_transform_that_went_through_another_process_still_meets() -> None:
    affine = Affine(turned(20, 1.1, True), FIXED.space, MOVING.space)
    copied = pickle.loads(pickle.dumps(affine))
    assert affine.then(copied.inverse()).target == FIXED.space


def test_levels_of_one_slide_meet() -> None:
    before = Affine(np.eye(3), FIXED.space, MOVING.fit(50).space)
    after = Affine(np.eye(3), MOVING.space, THIRD.space)
    assert before.then(after).target == THIRD.space


@settings(max_examples=25, deadline=None)
@given(affines)
def test_the_field_of_an_affine_is_that_affine_between_its_nodes(affine: Affine) -> None:
    grid = FIXED.fit(40)
    points = inner_points(grid)
    field = affine.to_field(grid)
    np.testing.assert_allclose(field(points), affine(points), rtol=0, atol=0.01)
    assert (field.source, field.target, field.grid) == (FIXED.space, MOVING.space, grid)


def test_a_sampled_chain_agrees_at_the_nodes() -> None:
    chain = smooth_field(3, 30).then(
        Affine(turned(140, 0.8, True, (500, 40)), FIXED.space, MOVING.space)
    )
    grid = FIXED.fit(37).crop(3, 2, 20, 15)
    nodes = grid.centres_um()
    np.testing.assert_allclose(chain.to_field(grid)(nodes), chain(nodes), rtol=0, atol=1e-3)


def test_an_inverse_is_sampled_like_any_map() -> None:
    inverse = smooth_field(4, 25).inverse()
    assert isinstance(inverse, InverseField)
    nodes = FIXED.fit(30).centres_um()
    np.testing.assert_allclose(
        inverse.to_field(FIXED.fit(30))(nodes), inverse(nodes), rtol=0, atol=1e-3
    )


def test_beyond_its_grid_a_field_keeps_its_rim() -> None:
    field = smooth_field(5, 30)
    last = field.displacement[:, -1, -1]
    far = np.array([[5000.0, 7000.0]])
    np.testing.assert_allclose(field(far) - far, last[None], atol=1e-5)


def test_no_points_stay_no_points() -> None:
    empty = np.empty((0, 2))
    chain = smooth_field(6, 10).then(Affine(np.eye(3), FIXED.space, MOVING.space))
    assert chain(empty).shape == chain.inverse()(empty).shape == (0, 2)


@pytest.mark.parametrize(
    "matrix", [np.zeros((3, 3)), np.eye(2), np.full((3, 3), np.nan), np.diag([1.0, 0.0, 1.0])]
)
def test_a_matrix_without_inverse_is_refused(matrix: Matrix) -> None:
    with pytest.raises(InputError, match="matrix"):
        Projective(matrix, FIXED.space, MOVING.space)


def test_a_homography_is_not_an_affine() -> None:
    with pytest.raises(InputError, match="0 0 1"):
        Affine(np.array([[1, 0, 0], [0, 1, 0], [0.001, 0, 1]]), FIXED.space, MOVING.space)


def test_displacements_must_fit_their_grid_and_be_finite() -> None:
    grid = FIXED.fit(10)
    with pytest.raises(InputError, match="wrong shape"):
        DisplacementField(
            np.zeros((2, grid.width + 1, grid.height), np.float32), grid, FIXED.space, FIXED.space
        )
    with pytest.raises(InputError, match="not finite"):
        DisplacementField(
            np.full((2, grid.height, grid.width), np.nan, np.float32),
            grid,
            FIXED.space,
            FIXED.space,
        )
