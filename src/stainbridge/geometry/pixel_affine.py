"""The affine map between the pixels of two slides that is nearest to a transform."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.fit import fit_affine
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.piecewise import Piecewise
from stainbridge.geometry.transform import Affine, Transform
from stainbridge.types import Matrix

#: Points across the longer side of the fixed slide at which the transform is asked.
GRID = 64


@dataclass(frozen=True, eq=False)
class PixelAffine:
    """An affine map from full-resolution pixels of the moving slide to those of the fixed one."""

    matrix: Matrix
    """(3, 3), on columns (x, y, 1); (0, 0) is the outer corner of the first pixel."""
    mean_um: float
    """Mean distance from the transform over the fixed slide, in µm of the moving slide."""
    largest_um: float
    """Largest distance, in µm of the moving slide."""

    def between_centres(self) -> Matrix:
        """Return the matrix for programs whose (0, 0) is the centre of the first pixel."""
        half = np.eye(3)
        half[:2, 2] = 0.5
        return np.asarray(np.linalg.inv(half) @ self.matrix @ half)


def fit_pixel_affine(transform: Transform, region: Frame | None = None) -> PixelAffine:
    """Return the affine map nearest to `transform`, which leads from fixed to moving.

    `region` is a frame on the fixed slide to fit within; None: all of it. Raises `InputError` for
    slides of several pieces, which share no affine map.
    """
    if isinstance(transform, Piecewise):
        raise InputError(
            "pieces that were moved apart share no affine map",
            expected="a registration of one piece",
            remedy="use transform.h5, which holds all pieces",
        )
    points = (region or transform.source.frame).fit(GRID).centres_um()
    moved = transform(points)
    affine = fit_affine(points, moved, transform.source, transform.target)
    distances = np.linalg.norm(affine(points) - moved, axis=1)
    px_per_um = np.diag([*(1 / np.asarray(transform.source.frame.mpp)), 1])
    um_per_px = np.diag([*transform.target.frame.mpp, 1])
    matrix = px_per_um @ np.linalg.inv(affine.matrix) @ um_per_px
    return PixelAffine(matrix, float(distances.mean()), float(distances.max()))


def affine_from_pixels(matrix: Matrix, source: Frame, target: Frame) -> Affine:
    """Return the transform, fixed to moving, of a matrix from moving to fixed pixels.

    `source` is the fixed slide's full-resolution frame, `target` the moving one's. Raises
    `InputError` for a matrix without inverse.
    """
    moving_px_per_um = np.diag([*(1 / np.asarray(target.mpp)), 1])
    fixed_um_per_px = np.diag([*source.mpp, 1])
    fixed_from_moving = Affine(
        fixed_um_per_px @ matrix @ moving_px_per_um, target.space, source.space
    )
    inverse = fixed_from_moving.inverse()
    return Affine(inverse.matrix, source.space, target.space)
