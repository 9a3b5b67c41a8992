"""The slides and the transform of a made-up registration."""

from __future__ import annotations

import numpy as np

from stainbridge.geometry.frame import Space
from stainbridge.geometry.transform import Affine, Chain, DisplacementField

#: Full-resolution frames of different sizes and pixel sizes.
FIXED = Space("he", 300, 400, (0.5, 0.5)).frame
MOVING = Space("ki67", 310, 390, calibrated=False).frame


def make_solution() -> Chain:
    """Return a quarter turn of a mirror image, after a small deformation."""
    grid = FIXED.fit(20)
    noise = np.random.default_rng(0).normal(0, 0.2, (2, grid.height, grid.width))
    field = DisplacementField(noise.astype(np.float32), grid, FIXED.space, FIXED.space)
    matrix = np.array([[0.0, -2, 350], [-2, 0, 360], [0, 0, 1]])
    return Chain((field, Affine(matrix, FIXED.space, MOVING.space)))
