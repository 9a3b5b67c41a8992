"""Whether a transform is smooth and one to one: its area factor and its inverse consistency.

Leow et al. 2007, "Statistical properties of Jacobian maps and the realization of unbiased
large-deformation nonlinear image registration", doi:10.1109/TMI.2007.892646. Christensen & Johnson
2001, "Consistent image registration", doi:10.1109/42.932742.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.field import jacobian_determinant
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Transform
from stainbridge.metrics.landmarks import ErrorSummary, summarise_errors
from stainbridge.metrics.masks import select_mask
from stainbridge.types import Mask, Plane


@dataclass(frozen=True)
class JacobianScores:
    """The area factor of a transform: µm² out for each µm² in, 1 where area is preserved."""

    folded: float
    """Share of the grid where it is 0 or less."""
    median: float
    """Median."""
    min: float
    """Smallest factor."""
    max: float
    """Largest factor."""
    p01: float
    """First percentile."""
    p99: float
    """Last percentile."""
    log_deviation: float
    """Standard deviation of its logarithm where it is positive; nan where it nowhere is."""
    flipped: bool
    """Whether the transform mirrors; the factors are those without the mirror."""


def area_factors(transform: Transform, grid: Frame) -> Plane:
    """Return the Jacobian determinant of `transform` at the pixel centres of `grid`, (H, W).

    By central differences between them. It is negative everywhere for a transform that mirrors.
    """
    return jacobian_determinant(transform.to_field(grid).displacement, grid.mpp)


def score_jacobian(transform: Transform, grid: Frame, where: Mask | None = None) -> JacobianScores:
    """Summarise the area factor over the pixel centres of `grid`, or over those in `where`, (H, W).

    Folds narrower than two pixels of `grid` are not seen. Raises `InputError` when `where` is empty
    or not of the size of `grid`.
    """
    everywhere = area_factors(transform, grid)
    flipped = bool(np.median(everywhere) < 0)  # of all: a mask may hold nothing but folds
    factors = _select(-everywhere if flipped else everywhere, where)
    positive = factors[factors > 0]
    low, p01, median, p99, high = np.percentile(factors, (0, 1, 50, 99, 100)).tolist()
    return JacobianScores(
        folded=float((factors <= 0).mean()),
        median=median,
        min=low,
        max=high,
        p01=p01,
        p99=p99,
        log_deviation=float(np.log(positive).std()) if positive.size else float("nan"),
        flipped=flipped,
    )


def inverse_consistency(
    forward: Transform, backward: Transform, grid: Frame, where: Mask | None = None
) -> ErrorSummary:
    """Summarise how far `forward` followed by `backward` moves points, in µm of the source space.

    Over the pixel centres of `grid`, or those in `where`, (H, W). Raises `InputError` when the
    transforms do not meet, or as `score_jacobian` does.
    """
    loop = forward.then(backward)
    if loop.target != loop.source:
        raise InputError(
            "the transforms do not lead back",
            expected=f"one to '{loop.source.label}'",
            got=loop.target.label,
        )
    points = grid.centres_um()
    distances = np.linalg.norm(loop(points) - points, axis=1)
    return summarise_errors(_select(distances.reshape(grid.height, grid.width), where))


def _select(values: npt.NDArray[np.floating], where: Mask | None) -> npt.NDArray[np.float64]:
    """Return values, (H, W), as (N,): all of them or those in `where`."""
    return np.asarray(values[select_mask(where, values.shape)], np.float64)
