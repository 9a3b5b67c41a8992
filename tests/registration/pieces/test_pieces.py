"""Slides of several pieces: each piece is registered, whatever its place, turn and flip."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from tests.registration.states import make_problem

import stainbridge
from stainbridge.geometry.piecewise import Piecewise
from stainbridge.geometry.transform import Affine
from stainbridge.phantom.pairs.fragment_config import FragmentsConfig
from stainbridge.phantom.pairs.fragment_pair import FragmentPair, generate_fragments
from stainbridge.registration.pieces.combine import (
    doubt_pieces,
    judge_pieces,
    lacks_partners,
    measure_alone,
    measure_bound_um,
    record_pieces,
)
from stainbridge.registration.pieces.flow import (
    PiecewiseResult,
    PlacedPiece,
    find_pieces,
    read_pieces,
)
from stainbridge.registration.pieces.piece import Piece
from stainbridge.registration.result import Registration
from stainbridge.registration.verdict.judge import Verdict

#: Two pieces in each other's places, both turned.
SWAPPED = FragmentsConfig(
    seed=3,
    size_px=384,
    mpp=32 / 3,
    pieces=2,
    missing=0,
    control=False,
    swapped=True,
    landmarks=10,
)
#: How far, in µm, tissue may reach beyond that of the fixed slide: stains differ in what they show.
MARGIN_UM = 120.0


def register(pair: FragmentPair) -> Registration:
    return stainbridge.register(pair.fixed, pair.moving, "fast", device="cpu", threads=1)


def measure_errors(pair: FragmentPair, registration: Registration) -> dict[str, float]:
    """Return the median error of each piece over its diameter, by its name."""
    found = registration.transform(pair.fixed_landmarks.points_um)
    error = np.hypot(*(found - pair.moving_landmarks.points_um).T)
    names = np.array([label.split(":")[0] for label in pair.fixed_landmarks.labels])
    return {
        item.name: float(np.median(error[names == item.name])) / (2 * item.cut.radius_um)
        for item in pair.fixed.fragments
        if item.name in names
    }


@pytest.fixture(scope="module")
def pair() -> FragmentPair:
    return generate_fragments(SWAPPED)


@pytest.fixture(scope="module")
def registration(pair: FragmentPair) -> Registration:
    return register(pair)


def test_swapped_pieces_are_each_registered(pair: FragmentPair, registration: Registration) -> None:
    assert isinstance(registration.transform, Piecewise)
    assert registration.status == "ok", registration.reason
    assert max(measure_errors(pair, registration).values()) < 0.01


def test_every_piece_is_recorded(registration: Registration) -> None:
    assert len(registration.pieces) == 2
    assert {piece.partner for piece in registration.pieces} == {"moving 1", "moving 2"}
    for piece in registration.pieces:
        assert piece.status == "ok"
        assert 0 < piece.predicted_um < piece.bound_um < 0.02 * piece.diagonal_um
        left, top, right, bottom = piece.box_px
        assert 0 <= left < right <= SWAPPED.size_px
        assert 0 <= top < bottom <= SWAPPED.size_px
    assert sum(piece.share for piece in registration.pieces) == pytest.approx(1)
    assert registration.bound_rtre >= registration.predicted_rtre > 0


def test_glass_shows_no_ghosts(pair: FragmentPair, registration: Registration) -> None:
    """Glass far from both pieces shows glass, though each piece's own map leads onto tissue."""
    assert pair.measure_ghosts(registration.transform, MARGIN_UM) < 0.002
    assert isinstance(registration.transform, Piecewise)
    own = registration.transform.pieces[0].transform
    assert pair.measure_ghosts(own, MARGIN_UM) > 0.1


def test_it_is_saved_with_its_pieces_and_comes_back(
    pair: FragmentPair, registration: Registration, tmp_path: Path
) -> None:
    registration.save(tmp_path)
    loaded = stainbridge.load(tmp_path)
    points = pair.fixed_landmarks.points_um
    assert np.allclose(loaded.transform(points), registration.transform(points), atol=1e-2)
    back = loaded.transform.inverse()(loaded.transform(points))
    assert np.allclose(back, points, atol=0.1)
    glass = pair.fixed.frame.fit(50).centres_um()
    assert np.allclose(loaded.transform(glass), registration.transform(glass), atol=0.5)
    assert loaded.pieces == registration.pieces


def test_two_pieces_that_share_their_counterpart_come_back(
    registration: Registration, tmp_path: Path
) -> None:
    transform = registration.transform
    assert isinstance(transform, Piecewise)
    first, second = transform.pieces
    shared = replace(second, transform=first.transform, target_region=first.target_region)
    alone = second.target_region
    joined = Piecewise((first, shared), target_alone=alone)
    replace(registration, solution=joined).save(tmp_path)
    loaded = stainbridge.load(tmp_path).transform
    assert isinstance(loaded, Piecewise)
    assert loaded.pieces[0].target_region is loaded.pieces[1].target_region
    assert loaded.source_alone is None
    assert loaded.target_alone is not None
    assert (loaded.target_alone.mask == alone.mask).all()


def test_programs_of_itk_read_it_too(
    pair: FragmentPair, registration: Registration, tmp_path: Path
) -> None:
    registration.save(tmp_path)
    transform = SimpleITK.ReadTransform(str(tmp_path / "transform.h5"))
    fixed_mm = (pair.fixed_landmarks.points_px - 0.5) * SWAPPED.mpp / 1000
    moved = np.array([transform.TransformPoint(point) for point in fixed_mm.tolist()])
    moving_px = moved * 1000 / SWAPPED.mpp + 0.5
    assert np.abs(moving_px - pair.moving_landmarks.points_px).max() < 6


def test_a_later_result_leaves_no_pieces_behind(registration: Registration, tmp_path: Path) -> None:
    registration.save(tmp_path)
    failed = replace(registration, status="failed", solution=None, pieces=())
    failed.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"registration.json"}


def test_a_piece_without_a_partner_is_counted() -> None:
    pair = generate_fragments(SWAPPED, pieces=3, missing=1)
    registration = register(pair)
    assert registration.status == "fallback"
    assert "of the" in registration.reason
    assert "tissue has no counterpart" in registration.reason
    alone = [piece for piece in registration.pieces if piece.status == "alone"]
    assert len(alone) == 1
    assert pair.measure_ghosts(registration.transform, MARGIN_UM) < 0.002
    assert max(measure_errors(pair, registration).values()) < 0.01


def test_pieces_can_be_left_to_the_whole_slide(pair: FragmentPair) -> None:
    config = stainbridge.RegisterConfig.preset("fast").with_options(
        pieces=False, device="cpu", threads=1, second_search=None
    )
    whole = stainbridge.register(pair.fixed, pair.moving, config=config)
    assert whole.pieces == ()


def test_a_piece_that_does_not_fit_its_counterpart_names_it(pair: FragmentPair) -> None:
    """Where the counterpart is known but nothing fits, it is said which it is."""
    problem = make_problem(pair.fixed, pair.moving)
    fixed, moving = read_pieces(problem, find_pieces(problem), 256)
    verdict = Verdict("failed", "nothing fits", float("nan"), float("nan"))
    good = Verdict("ok", "it fits", 0.002, 0.01)
    space = pair.fixed.frame.space
    transform = Affine(np.eye(3), space, pair.moving.frame.space)
    result = PiecewiseResult(
        (
            PlacedPiece(fixed[0], moving[1], transform, good),
            PlacedPiece(fixed[1], moving[0], verdict=verdict),
        ),
        moving,
        (0,),
        is_whole=False,
    )
    records = record_pieces(result)
    assert [(piece.partner, piece.status) for piece in records] == [
        ("moving 2", "ok"),
        ("moving 1", "failed"),
    ]
    judged = judge_pieces(result, 1000.0)
    assert judged.status == "fallback"
    assert "piece 2: nothing fits" in judged.reason


@pytest.mark.parametrize(
    ("fixed", "moving", "is_doubted"),
    [
        (0.0, 0.0, False),
        (0.24, 0.0, False),  # pieces that are missing on one slide
        (0.0, 0.24, False),  # control tissue
        (0.26, 0.0, True),
        (0.0, 0.26, True),
        (0.04, 0.04, False),
        (0.03, 0.06, True),  # they may belong together
        (0.06, 0.03, True),
    ],
)
def test_little_tissue_may_be_without_a_partner_on_one_of_the_slides(
    fixed: float, moving: float, is_doubted: bool
) -> None:
    assert lacks_partners(fixed, moving) == is_doubted


@pytest.mark.parametrize(("share", "status"), [(0.1, "ok"), (0.4, "fallback")])
def test_tissue_without_a_partner_is_named_whatever_the_status(
    pair: FragmentPair, share: float, status: str
) -> None:
    problem = make_problem(pair.fixed, pair.moving)
    fixed, moving = read_pieces(problem, find_pieces(problem), 256)
    verdict = Verdict("ok", "it fits", 0.002, 0.01)
    transform = Affine(np.eye(3), pair.fixed.frame.space, pair.moving.frame.space)
    whole_um2 = moving[0].region.area_um2
    control = shrink_piece(moving[1], share / (1 - share) * whole_um2)
    result = PiecewiseResult(
        (PlacedPiece(fixed[0], moving[0], transform, verdict),),
        (moving[0], control),
        (1,),
        is_whole=True,
    )
    assert measure_alone(result) == (0.0, pytest.approx(share, abs=0.01))
    for judged in (judge_pieces(result, 1000.0), doubt_pieces(verdict, result)):
        assert judged.status == status
        assert f"{share:.0%} of the moving tissue has no counterpart" in judged.reason


def shrink_piece(piece: Piece, area_um2: float) -> Piece:
    """Return a piece of which only the first pixels are left, so that it has this area."""
    region = piece.region
    count = round(area_um2 / region.area_um2 * region.mask.sum())
    mask = np.zeros(region.mask.shape, bool)
    mask.ravel()[np.flatnonzero(region.mask)[:count]] = True
    assert mask.sum() == count
    return replace(piece, region=replace(region, mask=mask))


def test_the_bound_of_many_pieces_is_wider_than_that_of_each(pair: FragmentPair) -> None:
    """The worst of many errs by more, and so by a factor that grows with how far each may err."""
    problem = make_problem(pair.fixed, pair.moving)
    fixed, _ = read_pieces(problem, find_pieces(problem), 128)
    item = PlacedPiece(fixed[0], verdict=Verdict("ok", "", 0.002, 0.008))
    assert measure_bound_um([item]) == pytest.approx(item.bound_um)
    assert 1.5 * item.bound_um < measure_bound_um([item] * 4) < 4 * item.bound_um
    assert measure_bound_um([item] * 12) > 1.2 * measure_bound_um([item] * 4)
    exact = PlacedPiece(fixed[0], verdict=Verdict("ok", "", 0.004, 0.004))
    assert measure_bound_um([exact] * 12) == pytest.approx(exact.bound_um)
