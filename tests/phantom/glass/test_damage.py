"""Folds, holes and other pieces are seen, excluded from the truth, and independent of the read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.phantom.glass.damage import ExtraPiece, Hole
from stainbridge.phantom.glass.slide import PhantomSlide
from stainbridge.phantom.pairs.truth import find_valid_points
from stainbridge.phantom.space.cut_line import CutLine
from stainbridge.phantom.space.deformation import DeformationConfig
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.phantom.tissue.config import TissueConfig

FRAME = Space("slide", 400, 400, (4.0, 4.0)).frame
TISSUE = TissueConfig(3, 1600, 1600)
FOLD = CutLine((500.0, 700.0), 0.4, 600.0, 30.0, lens=True)
HOLE = Hole((800.0, 800.0), 90.0, seed=2)
PIECE = ExtraPiece(StainedSection(TissueConfig(8, 240, 240, 0.9)), (180.0, 180.0), 30.0)
WHOLE = PhantomSlide(StainedSection(TISSUE), FRAME)


def compute_density(slide: PhantomSlide, frame: Frame = FRAME) -> npt.NDArray[np.float64]:
    return -np.log((slide.read(frame).pixels.astype(float) + 1) / 256).mean(axis=0)


def to_frame(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    return values.reshape(FRAME.height, FRAME.width)


def test_a_hole_is_bare_glass() -> None:
    holed = replace(WHOLE, holes=(HOLE,))
    inside = to_frame(HOLE.rim_distance_um(FRAME.centres_um()) < -8)
    assert inside.sum() > 500
    assert compute_density(holed)[inside].max() < 0.12 < compute_density(WHOLE)[inside].mean()
    assert (holed.tissue_depth_um(FRAME.centres_um()[inside.ravel()]) < 0).all()
    assert (holed.classes.read(FRAME).pixels[0][inside] == 0).all()


def test_a_fold_is_darker_and_brings_its_sides_together() -> None:
    folded = replace(WHOLE, deformation=DeformationConfig(folds=(FOLD,)))
    band = to_frame(folded.fold_distance_um(FRAME.centres_um()) < -6)
    assert band.sum() > 300
    assert compute_density(folded)[band].mean() > 1.4 * compute_density(WHOLE)[band].mean()
    along, across = np.array([300.0, 300.0]), np.array([-1e-6, 1e-6])
    sides = folded.tissue_from_slide(FOLD.from_line(along, across))
    assert np.hypot(*(sides[1] - sides[0])) == pytest.approx(
        2 * FOLD.half_width_um(along)[0], rel=0.01
    )


def test_beside_a_fold_the_map_is_exact_both_ways() -> None:
    folded = replace(WHOLE, deformation=DeformationConfig(folds=(FOLD,)))
    points = FRAME.fit(60).centres_um()
    slide_from_tissue = folded.tissue_from_slide.inverse()
    returned = slide_from_tissue(folded.tissue_from_slide(points))
    np.testing.assert_allclose(returned, points, atol=1e-6)


def test_the_truth_is_not_valid_in_folds_and_holes() -> None:
    damaged = replace(WHOLE, deformation=DeformationConfig(folds=(FOLD,)), holes=(HOLE,))
    truth = WHOLE.tissue_from_slide.then(damaged.tissue_from_slide.inverse())
    points = FRAME.centres_um()
    valid = find_valid_points(WHOLE, damaged, truth, points)
    assert valid.sum() > 20_000
    moving_um = truth(points[valid])
    assert damaged.fold_distance_um(moving_um).min() > 0
    assert damaged.gap_distance_um(moving_um).min() > 0


def test_another_piece_lies_where_it_is_placed() -> None:
    both = replace(WHOLE, pieces=(PIECE,))
    extra = compute_density(both) - compute_density(WHOLE)
    near = to_frame(np.hypot(*(FRAME.centres_um() - PIECE.centre_um).T) < 180)
    assert extra[near].mean() > 0.02
    assert np.abs(extra[~near]).max() < 1e-6
    assert (both.classes.read(FRAME).pixels[0] > 0)[near].sum() > (
        WHOLE.classes.read(FRAME).pixels[0] > 0
    )[near].sum()


def test_a_damaged_slide_read_in_parts_is_the_whole() -> None:
    damaged = replace(
        WHOLE,
        deformation=DeformationConfig(
            rotation_deg=20, folds=(FOLD,), tears=(CutLine((900.0, 900.0), 1.0, 400.0, 20.0),)
        ),
        holes=(HOLE,),
        pieces=(PIECE,),
        jpeg_quality=40,
    )
    whole, part = damaged.read(FRAME).pixels, FRAME.crop(33, 41, 215, 178)
    np.testing.assert_array_equal(damaged.read(part).pixels, whole[:, 41:219, 33:248])
    labels = damaged.classes.read(FRAME).pixels
    np.testing.assert_array_equal(damaged.classes.read(part).pixels, labels[:, 41:219, 33:248])


def test_impossible_damage_is_refused() -> None:
    with pytest.raises(InputError):
        Hole((1.0, 1.0), 0.0)
