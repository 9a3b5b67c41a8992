"""Is a transform smooth and one to one? Its area factor, and how well there and back meet.

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
from stainbridge.metrics.counted import counted
from stainbridge.metrics.landmarks import Spread, spread
from stainbridge.types import Mask, Plane


@dataclass(frozen=True)
class JacobianScores:
    """The area factor of a transform: µm² out for each µm² in, 1 where area is kept.

    `folded`: share of the grid where it is ≤ 0; `median`, `min`, `max`, and the percentiles `p01`
    and `p99`; `log_deviation`: standard deviation of its logarithm where it is positive (0: the
    same everywhere; nan: nowhere). `flipped`: the transform mirrors; the factors are those without
    that mirror.
    """

    folded: float
    median: float
    min: float
    max: float
    p01: float
    p99: float
    log_deviation: float
    flipped: bool


def area_factors(transform: Transform, grid: Frame) -> Plane:
    """Jacobian determinant of `transform` at the pixel centres of `grid`, (H, W), by central
    differences between them.

    Negative everywhere for a transform that mirrors.
    """
    return jacobian_determinant(transform.to_field(grid).displacement, grid.mpp)


def jacobian_scores(transform: Transform, grid: Frame, where: Mask | None = None) -> JacobianScores:
    """Summarise the area factor over the pixel centres of `grid`, or over those in `where`, (H, W).

    Folds narrower than two pixels of `grid` are not seen. Raises `InputError` when `where` is empty
    or not of the size of `grid`.
    """
    everywhere = area_factors(transform, grid)
    flipped = bool(np.median(everywhere) < 0)  # of all: a mask may hold nothing but folds
    factors = _chosen(-everywhere if flipped else everywhere, where)
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
    there: Transform, back: Transform, grid: Frame, where: Mask | None = None
) -> Spread:
    """How far points end from where they began, going `there` and `back`, in µm of the space of
    `there.source`.

    Over the pixel centres of `grid`, or those in `where`, (H, W). Raises `InputError` when the
    transforms do not meet, or as `jacobian_scores` does.
    """
    loop = there.then(back)
    if loop.target != loop.source:
        raise InputError(
            "the transforms do not lead back",
            expected=f"one to '{loop.source.label}'",
            got=loop.target.label,
        )
    points = grid.centres_um()
    distances = np.linalg.norm(loop(points) - points, axis=1)
    return spread(_chosen(distances.reshape(grid.height, grid.width), where))


def _chosen(values: npt.NDArray[np.floating], where: Mask | None) -> npt.NDArray[np.float64]:
    """Values, (H, W), as (N,): all of them or those in `where`."""
    return np.asarray(values[counted(where, values.shape)], np.float64)
