"""A fold is a long dense ridge; dense tissue is not, nor is a row of dense nests."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stainbridge.imaging.image import Image
from stainbridge.pairing.folds import find_folds
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.registration.sections.density import SlideDensity
from stainbridge.slides.memory import ArraySlide
from stainbridge.types import Mask

MPP = 6.0
SIDE_PX = 640
PAIR = generate_pair(seed=3, size_px=SIDE_PX, mpp=MPP, difficulty="easy")
PIXELS = PAIR.fixed.read(PAIR.fixed.frame).pixels
TISSUE = PAIR.fixed.tissue_depth_um(PAIR.fixed.frame.centres_um()).reshape(SIDE_PX, SIDE_PX) > 0


def draw_line(length_um: float, width_um: float, angle_deg: float) -> Mask:
    """Return a line through the middle of the slide."""
    half = (
        length_um
        / 2
        / MPP
        * np.array([np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))])
    )
    ends = [tuple(np.rint(SIDE_PX / 2 + sign * half).astype(int).tolist()) for sign in (-1, 1)]
    canvas = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    cv2.line(canvas, ends[0], ends[1], 1, round(width_um / MPP))
    return canvas > 0


def look(doubled: Mask) -> tuple[Image, Mask]:
    """Return the folds found where tissue is doubled, and the doubled tissue on their grid."""
    light = PIXELS / 255
    light = np.where(doubled, light**3, light)
    slide = ArraySlide(np.asarray(255 * light, np.uint8), mpp=MPP, stain="HE")
    found = find_folds(slide, SlideDensity.fit(slide))
    columns, rows = np.floor(slide.frame.to_px(found.frame.centres_um())).astype(int).T
    truth = (doubled & TISSUE)[np.clip(rows, 0, SIDE_PX - 1), np.clip(columns, 0, SIDE_PX - 1)]
    return found, truth.reshape(found.pixels.shape[1:])


@pytest.mark.parametrize("angle_deg", [0.0, 35.0, 90.0, 130.0])
def test_a_long_dense_ridge_is_a_fold(angle_deg: float) -> None:
    found, truth = look(draw_line(1600, 90, angle_deg))
    assert found.pixels[0][truth].mean() > 0.6
    assert found.pixels[0][~truth].mean() < 0.01


def test_flat_tissue_has_no_fold() -> None:
    found, _ = look(np.zeros((SIDE_PX, SIDE_PX), bool))
    assert not found.pixels.any()


def test_a_dense_nest_is_no_fold() -> None:
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX] - SIDE_PX / 2
    found, _ = look(np.hypot(x, y) * MPP < 250)
    assert found.pixels.mean() < 0.005


def test_a_row_of_dense_nests_is_no_fold() -> None:
    line = draw_line(1600, 90, 0.0)
    x = np.arange(SIDE_PX) * MPP
    found, _ = look(line & (x % 400 < 200))
    assert found.pixels.mean() < 0.005


@pytest.mark.parametrize("mpp", [0.1, 0.25, 400.0, None])
def test_a_slide_that_is_shorter_than_a_fold_has_none(mpp: float | None) -> None:
    pixels = np.full((3, 64, 64), 240, np.uint8)
    pixels[:, 16:48, 16:48] = np.random.default_rng(0).integers(80, 200, (3, 32, 32))
    slide = ArraySlide(pixels, mpp=mpp)
    assert not find_folds(slide, SlideDensity.fit(slide)).pixels.any()
