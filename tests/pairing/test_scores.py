"""Scores of a patch say what is wrong with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stainbridge.imaging.image import Image
from stainbridge.pairing.scores import PatchScorer
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.slides.memory import ArraySlide

PAIR = generate_pair(seed=3, size_px=640, mpp=2.0, difficulty="easy", moving_stain="HER2")
SLIDE = ArraySlide(PAIR.fixed.read(PAIR.fixed.frame).pixels, mpp=2.0, stain="HE")
SCORER = PatchScorer.fit(SLIDE, SLIDE)
CLEAN = SLIDE.read(SLIDE.frame.crop(192, 192, 256, 256))


def repaint(where: tuple[slice, slice], rgb: tuple[int, int, int]) -> Image:
    """Return the clean patch with a rectangle of one colour."""
    pixels = CLEAN.pixels.copy()
    pixels[(slice(None), *where)] = np.array(rgb, np.uint8)[:, None, None]
    return replace(CLEAN, pixels=pixels)


def test_a_clean_exact_patch_scores_well() -> None:
    scores = SCORER.score(CLEAN, CLEAN)
    assert scores.tissue_fixed > 0.99
    assert scores.tissue_moving > 0.99
    assert scores.residual_px < 1
    assert scores.blur_fixed < 2
    assert scores.pen == 0
    assert scores.fold == 0


def test_glass_is_no_tissue_in_either_picture() -> None:
    half = repaint((slice(0, 256), slice(0, 128)), (255, 255, 255))
    assert SCORER.score(half, CLEAN).tissue_fixed == pytest.approx(0.5, abs=0.1)
    assert SCORER.score(CLEAN, half).tissue_moving == pytest.approx(0.5, abs=0.1)


def test_pixels_without_data_are_no_tissue() -> None:
    valid = CLEAN.valid.copy()
    valid[:, :128] = False
    scores = SCORER.score(replace(CLEAN, valid=valid), CLEAN)
    assert scores.tissue_fixed == pytest.approx(0.5, abs=0.1)


def test_pen_counts_in_either_picture() -> None:
    drawn = repaint((slice(100, 120), slice(0, 256)), (20, 60, 170))
    for scores in (SCORER.score(drawn, CLEAN), SCORER.score(CLEAN, drawn)):
        assert scores.pen == pytest.approx(20 / 256, rel=0.1)


def test_the_share_that_is_folded_is_passed_on() -> None:
    assert SCORER.score(CLEAN, CLEAN, 0.25).fold == 0.25


def test_brown_pixels_of_the_moving_picture_are_positive() -> None:
    brown = repaint((slice(0, 64), slice(0, 256)), (110, 70, 40))
    before = SCORER.score(CLEAN, CLEAN).positive
    assert SCORER.score(CLEAN, brown).positive == pytest.approx(0.25 + 0.75 * before, abs=0.02)
    assert SCORER.score(brown, CLEAN).positive == before
