"""Pieces: each has its own map, every point of a piece comes back, glass between stays harmless."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.files import read_transform, write_transform
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.piecewise import PieceRegion, Piecewise, TransformedPiece
from stainbridge.geometry.summary import find_affine_part, measure_largest_bend
from stainbridge.geometry.transform import Affine
from stainbridge.geometry.warp import warp_array
from stainbridge.types import Mask, Points

FIXED = Space("fixed", 200, 400, (2.0, 2.0)).frame
MOVING = Space("moving", 200, 400, (2.0, 2.0)).frame
#: Centres of two discs in µm, and their radius.
LEFT = np.array([200.0, 200.0])
RIGHT = np.array([600.0, 200.0])
RADIUS = 120.0


def disc(frame: Frame, centre: Points, radius: float = RADIUS) -> Mask:
    inside = np.hypot(*(frame.centres_um() - centre).T) < radius
    return inside.reshape(frame.height, frame.width)


def turn_about(source: Points, target: Points, degrees: float, flip: bool = False) -> Affine:
    """Take the disc about `source` to that about `target`, turned."""
    angle = np.radians(degrees)
    linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.eye(3)
    matrix[:2, :2] = linear @ np.diag([-1.0 if flip else 1.0, 1.0])
    matrix[:2, 2] = target - matrix[:2, :2] @ source
    return Affine(matrix, FIXED.space, MOVING.space)


def swapped() -> Piecewise:
    """Two discs whose places are swapped, one turned, the other mirrored."""
    return Piecewise(
        (
            TransformedPiece(
                turn_about(LEFT, RIGHT, 40),
                PieceRegion(disc(FIXED, LEFT), FIXED),
                PieceRegion(disc(MOVING, RIGHT), MOVING),
            ),
            TransformedPiece(
                turn_about(RIGHT, LEFT, -15, flip=True),
                PieceRegion(disc(FIXED, RIGHT), FIXED),
                PieceRegion(disc(MOVING, LEFT), MOVING),
            ),
        )
    )


def points_in(centre: Points, count: int = 200) -> Points:
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, count)
    radius = (RADIUS - 8) * np.sqrt(rng.uniform(size=count))
    return centre + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


@pytest.mark.parametrize("index", [0, 1])
def test_each_piece_has_its_own_map(index: int) -> None:
    points = points_in((LEFT, RIGHT)[index])
    transform = swapped()
    assert np.allclose(transform(points), transform.pieces[index].transform(points))


def test_a_point_of_a_piece_comes_back() -> None:
    transform = swapped()
    points = np.vstack([points_in(LEFT), points_in(RIGHT)])
    assert np.allclose(transform.inverse()(transform(points)), points, atol=1e-9)
    assert np.allclose(transform.inverse().inverse()(points), transform(points))


def test_the_map_is_continuous_on_glass() -> None:
    """No step between two pieces: a small move on glass is a bounded move on the other slide."""
    across = np.stack([np.linspace(1, 799, 8001), np.full(8001, 230.0)], axis=1)
    moved = swapped()(across)
    step = np.hypot(*np.diff(moved, axis=0).T)
    assert step.max() < 0.02 * FIXED.diagonal_um
    weights = swapped().weigh_pieces(across)
    assert np.allclose(weights.sum(axis=0), 1)


def test_blending_is_confined_to_the_middle_of_the_glass() -> None:
    """The blend crosses whatever lies between the counterparts, so only few points may take it."""
    weights = swapped().weigh_pieces(FIXED.centres_um())
    blended = (weights > 0).all(axis=0).mean()
    assert 0 < blended < 0.05


def test_a_warped_picture_shows_each_piece_once() -> None:
    """Swapped discs come back to their places, and nearly nothing is drawn on the glass."""
    transform = swapped()
    picture = np.zeros((1, MOVING.height, MOVING.width), np.uint8)
    picture[0][disc(MOVING, RIGHT)] = 100  # the fixed left piece
    picture[0][disc(MOVING, LEFT)] = 200
    warped, _ = warp_array(picture, MOVING, transform, FIXED, interpolation="nearest")
    assert (warped[0][disc(FIXED, LEFT, RADIUS - 8)] == 100).all()
    assert (warped[0][disc(FIXED, RIGHT, RADIUS - 8)] == 200).all()
    glass = ~(disc(FIXED, LEFT, RADIUS + 8) | disc(FIXED, RIGHT, RADIUS + 8))
    assert (warped[0][glass] > 0).mean() < 0.03


def test_it_pickles() -> None:
    points = points_in(LEFT)
    copy = pickle.loads(pickle.dumps(swapped()))
    assert np.allclose(copy(points), swapped()(points))


def test_itk_reads_it_as_a_field(tmp_path: Path) -> None:
    transform = swapped()
    write_transform(tmp_path / "pieces.h5", transform)
    stored = read_transform(tmp_path / "pieces.h5", FIXED.space, MOVING.space)
    points = np.vstack([points_in(LEFT), points_in(RIGHT)])
    assert np.allclose(stored(points), transform(points), atol=0.05)


def test_the_affine_part_is_that_of_the_first_piece() -> None:
    assert find_affine_part(swapped()).rotation_deg == pytest.approx(40)


def test_the_largest_bend_is_measured_inside_each_piece() -> None:
    assert measure_largest_bend(swapped()) < 1e-6


def test_a_region_knows_its_box_and_area() -> None:
    region = PieceRegion(disc(FIXED, LEFT), FIXED)
    assert region.area_um2 == pytest.approx(np.pi * RADIUS**2, rel=0.01)
    assert region.diagonal_um == pytest.approx(2 * RADIUS * np.sqrt(2), rel=0.02)
    assert np.allclose(region.box_um[0], LEFT - RADIUS, atol=2)


def test_pieces_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(InputError, match="at least one piece"):
        Piecewise(())
    with pytest.raises(InputError, match="without tissue"):
        PieceRegion(np.zeros((200, 400), bool), FIXED)
    with pytest.raises(InputError, match="does not match its frame"):
        PieceRegion(np.ones((2, 2), bool), FIXED)
    piece = swapped().pieces[0]
    with pytest.raises(InputError, match="does not lead"):
        TransformedPiece(piece.transform, piece.target_region, piece.source_region)
    with pytest.raises(InputError, match="different slides"):
        Piecewise((piece, piece.inverse()))
