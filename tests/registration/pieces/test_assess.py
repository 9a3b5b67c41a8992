"""Tissue has a counterpart wherever it lies on tissue, whichever piece that is."""

from __future__ import annotations

import numpy as np
from tests.registration.states import must_read

from stainbridge.geometry.piecewise import PieceRegion
from stainbridge.geometry.transform import Affine
from stainbridge.registration.pieces.assess import assess_piece
from stainbridge.registration.pieces.piece import Piece, read_piece
from stainbridge.registration.verdict.judge import COMPLETE_OVERLAP
from stainbridge.slides.memory import ArraySlide

HEIGHT = 160
WIDTH = 300
MPP = 4.0


def read_torn(rising: bool) -> list[Piece]:
    """Read both pieces of one tissue that is torn along a diagonal."""
    pixels = np.full((3, HEIGHT, WIDTH), 243, np.uint8)
    noise = np.random.default_rng(0).uniform(80, 160, (HEIGHT - 40, WIDTH - 40))
    pixels[:, 20:-20, 20:-20] = noise.astype(np.uint8)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    side = y / HEIGHT + x / WIDTH - 1 if rising else y / HEIGHT - x / WIDTH
    pixels[:, np.abs(side) < 0.03] = 243
    slide = ArraySlide(pixels, MPP)
    light = must_read(slide, WIDTH).illumination
    regions = [PieceRegion(mask, slide.frame) for mask in (side < 0, side > 0)]
    pieces = [read_piece(slide, region, 256, None, light) for region in regions]
    return [piece for piece in pieces if piece is not None]


def test_a_piece_that_lies_on_two_others_has_a_counterpart_all_over() -> None:
    """As where the slides are torn in different places."""
    fixed = read_torn(rising=False)
    moving = read_torn(rising=True)
    spaces = (piece.section.frame.space for piece in (fixed[0], moving[0]))
    identity = Affine(np.eye(3), *spaces)
    both = assess_piece(fixed[1], moving, identity)
    one = assess_piece(fixed[1], moving[:1], identity)
    assert both.evidence is not None
    assert one.evidence is not None
    assert one.evidence.overlap < COMPLETE_OVERLAP < both.evidence.overlap
