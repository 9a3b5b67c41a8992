"""A transform in a few numbers."""

from __future__ import annotations

from functools import reduce

import numpy as np

from stainbridge.geometry.fit import fit_affine
from stainbridge.geometry.piecewise import Piecewise
from stainbridge.geometry.transform import Affine, Transform, split_chain
from stainbridge.types import Points

#: Longest side in pixels of the grid that the largest bend is looked for on.
BEND_PX = 128


def find_affine_part(transform: Transform) -> Affine:
    """Return the product of the affine members of `transform`.

    Where it has none, return the best affine fit over the extent of its source. Of pieces, which
    share no affine part, return that of the first, the largest.
    """
    if isinstance(transform, Piecewise):
        return find_affine_part(transform.pieces[0].transform)
    matrices = [member.matrix for member in split_chain(transform) if isinstance(member, Affine)]
    if matrices:
        return Affine(
            reduce(lambda product, after: after @ product, matrices),
            transform.source,
            transform.target,
        )
    centres = transform.source.frame.fit(32).centres_um()
    return fit_affine(centres, transform(centres), transform.source, transform.target)


def residual_displacement(transform: Transform, points_um: Points) -> Points:
    """Return what `transform` does to (N, 2) points beside its affine part, (N, 2).

    In µm of the source space.
    """
    affine = find_affine_part(transform)
    return np.asarray(affine.inverse()(transform(points_um)) - points_um)


def measure_largest_bend(transform: Transform) -> float:
    """Return the largest displacement beside the affine part, in µm of the source space.

    Of pieces it is measured inside each, beside the piece's own affine part: what lies between them
    joins maps that have nothing in common.
    """
    if isinstance(transform, Piecewise):
        return max(
            _find_largest(piece.transform, piece.source_region.points_um)
            for piece in transform.pieces
        )
    return _find_largest(transform, transform.source.frame.fit(BEND_PX).centres_um())


def _find_largest(transform: Transform, points_um: Points) -> float:
    points = points_um[:: max(1, len(points_um) // BEND_PX**2)]
    return float(np.hypot(*residual_displacement(transform, points).T).max())
