"""Pieces: each has its own map, every point of a piece comes back, glass between stays harmless."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.files import read_transform, write_transform
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.piecewise import (
    PieceRegion,
    Piecewise,
    TransformedPiece,
    find_inside,
)
from stainbridge.geometry.summary import find_affine_part, measure_largest_bend
from stainbridge.geometry.transform import Affine
from stainbridge.geometry.warp import find_output_frame, warp_array
from stainbridge.types import Mask, Points

FIXED = Space("fixed", 200, 400, (2.0, 2.0)).frame
MOVING = Space("moving", 200, 400, (2.0, 2.0)).frame
#: Centres of two discs in µm, and their radius.
LEFT = np.array([200.0, 200.0])
RIGHT = np.array([600.0, 200.0])
RADIUS = 120.0
#: Centre and radius of other tissue on the moving slide, in µm.
CONTROL = np.array([400.0, 350.0])
CONTROL_RADIUS = 40.0


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


def add_control(transform: Piecewise) -> Piecewise:
    """Add tissue to the target slide that belongs to no piece."""
    control = PieceRegion(disc(MOVING, CONTROL, CONTROL_RADIUS), MOVING)
    return Piecewise(transform.pieces, target_alone=control)


def kept() -> Piecewise:
    """Two discs that lie about as they did, one turned a little more than the other."""
    return Piecewise(
        tuple(
            TransformedPiece(
                turn_about(centre, centre + 15.0, degrees),
                PieceRegion(disc(FIXED, centre), FIXED),
                PieceRegion(disc(MOVING, centre + 15.0), MOVING),
            )
            for centre, degrees in ((LEFT, 3), (RIGHT, -3))
        )
    )


def around_the_slide() -> Points:
    """Points on the slide and around it."""
    x, y = np.meshgrid(np.arange(-300, 1100, 3.0), np.arange(-300, 700, 3.0))
    return np.stack([x.ravel(), y.ravel()], axis=1)


def is_tissue(pieces: tuple[TransformedPiece, ...], points: Points, grown_um: float = 0) -> Mask:
    """Whether points lie on a piece of the source slide, or less than so far from it."""
    distance = [piece.source_region.measure_distance_um(points) for piece in pieces]
    return np.asarray(np.min(distance, axis=0) <= grown_um)


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


def test_pieces_that_lie_as_they_did_are_joined_without_a_step() -> None:
    """A small move on glass is a bounded move on the other slide."""
    across = np.stack([np.linspace(1, 799, 8001), np.full(8001, 230.0)], axis=1)
    moved = kept()(across)
    step = np.hypot(*np.diff(moved, axis=0).T)
    assert step.max() < 0.02 * FIXED.diagonal_um
    assert np.allclose(kept().weigh_pieces(across).sum(axis=0), 1)


def test_blending_is_confined_to_the_middle_of_the_glass() -> None:
    """What lies between the counterparts may be anything, so only few points are blended."""
    weights = swapped().weigh_pieces(FIXED.centres_um())
    blended = (weights > 0).all(axis=0).mean()
    assert 0 < blended < 0.05


@pytest.mark.parametrize("alone", [None, "target"])
def test_glass_never_lands_on_tissue(alone: str | None) -> None:
    """Not on the piece's own counterpart, not on another's, not on tissue without one."""
    transform = swapped() if alone is None else add_control(swapped())
    glass_um = around_the_slide()
    glass_um = glass_um[~is_tissue(transform.pieces, glass_um, grown_um=10)]
    landed = transform(glass_um)
    tissue = disc(MOVING, LEFT) | disc(MOVING, RIGHT)
    if alone is not None:
        tissue |= disc(MOVING, CONTROL, CONTROL_RADIUS)
    assert not find_inside(tissue, MOVING, landed).any()
    back = transform.inverse()(glass_um)
    assert not is_tissue(transform.pieces, back).any()


def test_glass_around_a_piece_keeps_its_order() -> None:
    """It is drawn together, and nothing folds: farther glass stays farther."""
    transform = swapped()
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    ray = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    far = np.stack([LEFT + radius * ray for radius in np.linspace(130, 185, 40)])
    landed = transform(far.reshape(-1, 2)).reshape(far.shape)
    distance = np.hypot(*np.moveaxis(landed - RIGHT, -1, 0))
    assert (np.diff(distance, axis=0) > 0).all()
    assert np.allclose(distance[0], 130, atol=0.5)
    assert distance.max() < 190


def test_one_piece_alone_is_mapped_everywhere_by_its_transform() -> None:
    piece = swapped().pieces[0]
    points = FIXED.centres_um()
    assert np.allclose(Piecewise((piece,))(points), piece.transform(points))


def test_two_pieces_may_share_their_counterpart() -> None:
    stay = turn_about(LEFT, LEFT, 0)
    whole = PieceRegion(disc(MOVING, LEFT) | disc(MOVING, RIGHT), MOVING)
    halves = [PieceRegion(disc(FIXED, centre), FIXED) for centre in (LEFT, RIGHT)]
    transform = Piecewise(tuple(TransformedPiece(stay, half, whole) for half in halves))
    points = FIXED.centres_um()
    assert np.allclose(transform(points), points)


def test_a_warped_picture_shows_each_piece_once() -> None:
    """Swapped discs come back to their places, and nothing is drawn on the glass."""
    transform = swapped()
    picture = np.zeros((1, MOVING.height, MOVING.width), np.uint8)
    picture[0][disc(MOVING, RIGHT)] = 100  # the fixed left piece
    picture[0][disc(MOVING, LEFT)] = 200
    warped, _ = warp_array(picture, MOVING, transform, FIXED, interpolation="nearest")
    assert (warped[0][disc(FIXED, LEFT, RADIUS - 8)] == 100).all()
    assert (warped[0][disc(FIXED, RIGHT, RADIUS - 8)] == 200).all()
    glass = ~(disc(FIXED, LEFT, RADIUS + 8) | disc(FIXED, RIGHT, RADIUS + 8))
    assert not warped[0][glass].any()


def test_the_crop_around_the_moving_slide_holds_every_piece() -> None:
    """Also one that lies amid others on the moving slide, and outermost on the fixed one."""
    around = np.array([[400.0, 70.0], [400.0, 330.0], [270.0, 200.0], [530.0, 200.0]])
    moving = [*around, np.array([400.0, 200.0])]
    fixed = [*(around - [200.0, 0]), np.array([740.0, 340.0])]
    pieces = tuple(
        TransformedPiece(
            turn_about(source, target, 0),
            PieceRegion(disc(FIXED, source, 45), FIXED),
            PieceRegion(disc(MOVING, target, 45), MOVING),
        )
        for source, target in zip(fixed, moving, strict=True)
    )
    whole = find_output_frame(Piecewise(pieces), FIXED, MOVING, "moving")
    assert all(whole.contains(piece.source_region.points_um).all() for piece in pieces)


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
