"""A transform in a few numbers."""

from __future__ import annotations

from functools import reduce

import numpy as np

from stainbridge.geometry.fit import fit_affine
from stainbridge.geometry.transform import Affine, Transform, split_chain
from stainbridge.types import Points


def find_affine_part(transform: Transform) -> Affine:
    """The affine members of `transform` one after the other; the best affine fit over its extent
    where it has none.
    """
    matrices = [member.matrix for member in split_chain(transform) if isinstance(member, Affine)]
    if matrices:
        return Affine(
            reduce(lambda done, after: after @ done, matrices),
            transform.source,
            transform.target,
        )
    centres = transform.source.frame.fit(32).centres_um()
    return fit_affine(centres, transform(centres), transform.source, transform.target)


def residual_displacement(transform: Transform, points_um: Points) -> Points:
    """How far `transform` moves points (N, 2) from where its affine part alone would, (N, 2) µm of
    `source`.
    """
    affine = find_affine_part(transform)
    return np.asarray(affine.inverse()(transform(points_um)) - points_um)
