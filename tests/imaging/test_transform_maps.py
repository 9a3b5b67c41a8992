from __future__ import annotations

import numpy as np
import pytest

from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.piecewise import PieceRegion, Piecewise, TransformedPiece
from stainbridge.geometry.transform import Affine, Chain, DisplacementField, Projective
from stainbridge.imaging.transform_maps import FOLD, area_map, draw_area_map, moving_grid

FIXED = Space("fixed", 300, 400, (0.5, 0.5)).frame
MOVING = Space("moving", 350, 390, (0.25, 0.25)).frame


def half(frame: Frame, *, left: bool) -> PieceRegion:
    """The left or the right 40 % of a slide."""
    mask = np.zeros((frame.height, frame.width), bool)
    side = int(0.4 * frame.width)
    mask[:, :side] = left
    mask[:, -side:] = not left
    return PieceRegion(mask, frame)


def swapped() -> Piecewise:
    """Two pieces that change places; the first is stretched to 1.4 times its width."""
    ends = FIXED.space, MOVING.space
    halves = [half(FIXED, left=left) for left in (True, False)]
    others = [half(MOVING, left=left) for left in (False, True)]
    stretched = Affine(np.array([[0.5, 0, 30.0], [0, 0.5, 0], [0, 0, 1]]), *ends)
    plain = Affine(np.array([[-0.5, 0, 100.0], [0, 0.5, 0], [0, 0, 1]]), *ends)
    return Piecewise(
        (
            TransformedPiece(Chain((stretch(1.4, from_um=40), stretched)), halves[0], others[0]),
            TransformedPiece(plain, halves[1], others[1]),
        )
    )


def affine(*, flip: bool = False) -> Affine:
    linear = np.array([[0.0, -0.5], [0.5, 0.0]]) @ np.diag([-1.0 if flip else 1.0, 1.0])
    return Affine(
        np.array([[*linear[0], 90.0], [*linear[1], 10.0], [0, 0, 1]]), FIXED.space, MOVING.space
    )


def field(u: np.ndarray) -> DisplacementField:
    return DisplacementField(u.astype(np.float32), FIXED.fit(u.shape[2]), FIXED.space, FIXED.space)


def stretch(factor: float, from_um: float = 100) -> DisplacementField:
    """X grows by `factor` over what lies right of a place, the right half."""
    grid = FIXED.fit(100)
    x = grid.centres_um()[:, 0].reshape(grid.height, grid.width)
    u = np.maximum(x - from_um, 0) * (factor - 1)
    return field(np.stack([u, 0 * u]))


@pytest.mark.parametrize("flip", [False, True])
def test_area_factors_are_those_beyond_the_affine_part(flip: bool) -> None:
    areas = area_map(Chain((stretch(1.4), affine(flip=flip))))
    assert areas.folded_share == 0
    assert np.allclose(areas.factor[:, :45], 1, atol=1e-3)
    assert np.allclose(areas.factor[:, 55:], 1.4, atol=1e-3)
    assert areas.limit == 1.5


@pytest.mark.parametrize("flip", [False, True])
def test_folds_are_seen_and_painted(flip: bool) -> None:
    areas = area_map(Chain((stretch(-0.5), affine(flip=flip))))
    assert areas.folded_share == pytest.approx(0.5, abs=0.02)
    picture = draw_area_map(areas, np.zeros((75, 100), np.float32))
    assert picture.shape == (75, 100, 3)
    assert tuple(picture[30, 80]) == FOLD
    assert tuple(picture[30, 20]) == (247, 247, 247)


def test_red_is_what_was_shrunk_and_blue_what_was_stretched() -> None:
    still = np.zeros((75, 100), np.float32)
    red, blue = (
        draw_area_map(area_map(Chain((stretch(f), affine()))), still)[30, 80].astype(int)
        for f in (1.9, 0.55)
    )
    assert red[0] > red[2] + 50
    assert blue[2] > blue[0] + 50


def test_an_affine_map_has_factor_one_everywhere() -> None:
    areas = area_map(affine(flip=True))
    assert np.allclose(areas.factor, 1, atol=1e-3)
    assert areas.limit == 1.1


def test_the_grid_lies_where_the_moving_slide_does() -> None:
    transform, view = Chain((stretch(1.2), affine())), FIXED.fit(200)
    lines = moving_grid(transform, view, across=10)
    on_moving = [transform(view.to_um(line)) for line in lines]
    width, height = MOVING.size_um
    step = width / 10
    edges = [(0, 0.0), (0, width), (1, 0.0), (1, height)]
    for (axis, place), line in zip(edges, on_moving, strict=False):
        assert np.allclose(line[:, axis], place, atol=0.02)
    for line in on_moving[4:]:
        steps = line / step
        assert min(np.abs(steps[:, axis] - np.rint(steps[:, axis])).max() for axis in (0, 1)) < 0.01
    assert len(lines) == 4 + 9 + 8


def test_points_beyond_the_horizon_are_left_out() -> None:
    horizon = Projective(
        np.array([[1.0, 0, 0], [0, 1, 0], [0, 1 / 50.0, 1.0]]), FIXED.space, MOVING.space
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        lines = moving_grid(horizon, FIXED)
    assert all(np.isfinite(line).all() for line in lines)


def test_pieces_are_measured_inside_themselves_and_never_on_glass() -> None:
    areas = area_map(swapped())
    width = areas.grid.width
    assert not areas.is_known[:, int(0.42 * width) : int(0.58 * width)].any()
    assert areas.folded_share == 0
    assert np.allclose(areas.factor[:, : int(0.18 * width)], 1, atol=1e-3)
    assert np.allclose(areas.factor[:, int(0.22 * width) : int(0.38 * width)], 1.4, atol=1e-3)
    assert np.allclose(areas.factor[:, int(0.62 * width) :], 1, atol=1e-3)
    picture = draw_area_map(areas, np.zeros((75, 100), np.float32))
    assert tuple(picture[30, 50]) == (247, 247, 247)


def test_the_grid_of_pieces_ends_where_they_do() -> None:
    transform = swapped()
    lines = moving_grid(transform, FIXED)
    assert [len(line) for line in lines[:4]] == [0, 0, 0, 0]
    for line in lines[4:]:
        distance = [
            piece.source_region.measure_distance_um(FIXED.to_um(line)) for piece in transform.pieces
        ]
        assert np.min(distance, axis=0).max() < 80
    joints = [np.abs(np.diff(line, axis=0)).max() for line in lines[4:]]
    assert max(joints) < 30
