"""A patch is scored by what lies on it in both pictures, wherever that is on the moving slide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.pairing.test_folds import MPP, PIXELS, SIDE_PX, draw_line

from stainbridge.geometry.transform import Affine
from stainbridge.pairing.config import PairingConfig
from stainbridge.pairing.cut import PatchCutter
from stainbridge.pairing.plan import Place
from stainbridge.pairing.source import SlidePair
from stainbridge.slides.memory import ArraySlide
from stainbridge.types import Mask

#: Pixels by which tissue lies farther right on the moving slide, and farther down.
SHIFT_PX = (100, 0)
SIDE = 128
MIDDLE = (SIDE_PX - SIDE) // 2
PAIR = SlidePair(id="a", patient="a", split="train", fixed=Path("he.tiff"), moving=Path("ihc.tiff"))


def draw_slide(doubled: Mask, shift_px: tuple[int, int] = (0, 0)) -> ArraySlide:
    light = np.where(doubled, (PIXELS / 255) ** 3, PIXELS / 255)
    pixels = np.roll(np.asarray(255 * light, np.uint8), shift_px, axis=(2, 1))
    return ArraySlide(np.ascontiguousarray(pixels), mpp=MPP, stain="HE")


@pytest.mark.parametrize("folded", ["fixed", "moving"])
def test_a_fold_of_either_slide_counts_where_the_patch_lies_on_it(folded: str) -> None:
    line, none = draw_line(1600, 90, 90.0), np.zeros((SIDE_PX, SIDE_PX), bool)
    fixed = draw_slide(line if folded == "fixed" else none)
    moving = draw_slide(line if folded == "moving" else none, SHIFT_PX)
    matrix = np.eye(3)
    matrix[:2, 2] = np.array(SHIFT_PX) * MPP
    moving_from_fixed = Affine(matrix, fixed.frame.space, moving.frame.space)
    cutter = PatchCutter.open(PAIR, fixed, moving, moving_from_fixed, "ok", PairingConfig())

    def measure(x_px: int) -> float:
        frame = fixed.frame.crop(x_px, MIDDLE, SIDE, SIDE)
        return cutter(Place(x_px, MIDDLE, SIDE, frame)).patch.scores.fold

    assert 0.1 < measure(MIDDLE) < 0.35
    assert measure(MIDDLE - SIDE) == 0
