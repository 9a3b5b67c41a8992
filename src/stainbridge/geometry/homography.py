"""The homography that corresponding points of two slides agree on.

Four pairs fix it; more are fitted by robust least squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Space
from stainbridge.geometry.points import check_points
from stainbridge.geometry.quadrilateral import map_quadrilateral
from stainbridge.geometry.transform import Projective
from stainbridge.types import Matrix, Points

Flags = npt.NDArray[np.bool_]

#: Pairs that fix a homography.
LEAST_PAIRS = 4
#: What misses its place by less than this share of the points' spread is no outlier: sections
#: stretch by as much, and the alignment that follows finds it.
TOLERANCE = 0.02
#: An outlier misses by more than this many robust standard deviations of all pairs, or, where
#: there are too few to tell one, tolerances.
OUTLIER_DEVIATIONS = 3.0
#: Pairs from which on the least median of squares tells outliers. Of fewer pairs half lie on any
#: homography through four of them.
LEAST_MEDIAN_PAIRS = 12
#: Pairs that miss by more than this share of the points' spread never agree.
LARGEST_ERROR = 0.15
#: How often the pairs are told apart and fitted again.
ROUNDS = 3
#: A spread across the points' main direction below this share of that along it is a line.
LEAST_BREADTH = 0.02


@dataclass(frozen=True, eq=False)
class HomographyFit:
    """A homography and how well the pairs agree on it."""

    transform: Projective
    """It takes the first points to the second."""
    errors_um: npt.NDArray[np.float64]
    """(N,) distances in µm of the target between the second points and the mapped first ones."""
    is_outlier: Flags
    """(N,) whether a pair was left out."""


def fit_homography(
    from_um: Points,
    to_um: Points,
    source: Space,
    target: Space,
    *,
    labels: Sequence[str] | None = None,
    where: tuple[object, object] | None = None,
) -> HomographyFit:
    """Fit the homography that takes `from_um` to `to_um`.

    Four pairs are the corners of two quadrilaterals, and mapped exactly. More are fitted by least
    squares; pairs that the others contradict are left out. Mirror images are fitted too.

    Args:
        from_um: (N, 2) in µm, N ≥ 4.
        to_um: (N, 2) in µm.
        source: The plane of the first points.
        target: The plane of the second points.
        labels: The pairs' names, for messages; None: their numbers from 0.
        where: What to call both sides in messages; None: the names of the spaces.

    Raises:
        InputError: Fewer than four pairs, unlike counts, points on a line, quadrilaterals that are
            crossed or not convex, pairs that agree on nothing.

    """
    where = where or (source.label, target.label)
    from_um = check_points(from_um, where[0])
    to_um = check_points(to_um, where[1])
    _check_count(from_um, to_um, where)
    names = [str(row) for row in range(len(from_um))] if labels is None else list(labels)
    if len(from_um) == LEAST_PAIRS:
        is_outlier = np.zeros(LEAST_PAIRS, bool)
        matrix = map_quadrilateral(from_um, to_um, names, where)
    else:
        for points, name in ((from_um, where[0]), (to_um, where[1])):
            _check_breadth(points, name)
        matrix, is_outlier = _fit_robustly(from_um, to_um, where)
    depth = float((from_um[~is_outlier] @ matrix[2, :2] + matrix[2, 2]).mean())
    transform = Projective(matrix / depth, source, target)
    return HomographyFit(transform, _measure_errors(matrix, from_um, to_um), is_outlier)


def crosses_horizon(transform: Projective, points_um: Points) -> bool:
    """Return whether the homography sends a place between (N, 2) points to infinity."""
    depth = points_um @ transform.matrix[2, :2] + transform.matrix[2, 2]
    return bool(depth.min() * depth.max() <= 0)


def _fit_robustly(
    from_um: Points, to_um: Points, where: tuple[object, object]
) -> tuple[Matrix, Flags]:
    """Return the least-squares homography (3, 3) of the pairs that agree, and the others, (N,)."""
    spread_um = _measure_spread(to_um)
    matrix = _fit_least_squares(from_um, to_um)
    if _measure_errors(matrix, from_um, to_um).max() <= TOLERANCE * spread_um:
        return matrix, np.zeros(len(from_um), bool)
    matrix = _find_consensus(from_um, to_um, TOLERANCE * spread_um)
    for _ in range(ROUNDS):
        errors_um = _measure_errors(matrix, from_um, to_um)
        is_outlier = errors_um > _choose_limit(errors_um, spread_um)
        kept = np.flatnonzero(~is_outlier)
        _check_majority(len(kept), len(from_um), where)
        for points, name in ((from_um, where[0]), (to_um, where[1])):
            _check_breadth(points[kept], name)
        matrix = _fit_least_squares(from_um[kept], to_um[kept])
    return matrix, is_outlier


def _choose_limit(errors_um: npt.NDArray[np.float64], spread_um: float) -> float:
    """Return the error beyond which a pair is an outlier."""
    count = len(errors_um)
    if count < LEAST_MEDIAN_PAIRS:
        return OUTLIER_DEVIATIONS * TOLERANCE * spread_um
    # as Rousseeuw & Leroy 1987, "Robust Regression and Outlier Detection", p. 44
    deviation_um = 1.4826 * (1 + 5 / (count - LEAST_PAIRS)) * float(np.median(errors_um))
    limit_um = max(OUTLIER_DEVIATIONS * deviation_um, TOLERANCE * spread_um)
    return min(limit_um, LARGEST_ERROR * spread_um)


def _check_majority(agreeing: int, count: int, where: tuple[object, object]) -> None:
    if agreeing < LEAST_PAIRS or 2 * agreeing <= count:
        raise InputError(
            "the landmarks do not agree on one transform",
            where=where[1],
            expected=f"most of the {count} pairs",
            got=agreeing,
            remedy="see whether the points of the two slides correspond",
        )


def _find_consensus(from_um: Points, to_um: Points, tolerance_um: float) -> Matrix:
    """Return a transform (3, 3) that outliers did not pull at.

    By the least median of squares. Where there are too few pairs for that: the affine map with the
    most pairs within a few tolerances, for sections are nearly affine images of each other.
    """
    if len(from_um) >= LEAST_MEDIAN_PAIRS:
        return _fit_scaled(from_um, to_um, cv2.LMEDS)
    found, _ = cv2.estimateAffine2D(
        from_um,
        to_um,
        method=cv2.RANSAC,
        ransacReprojThreshold=OUTLIER_DEVIATIONS * tolerance_um,
        confidence=0.9999,
    )
    if found is None:
        raise InputError("the landmarks do not agree on one transform")
    return np.vstack([found, [0.0, 0.0, 1.0]])


def _fit_least_squares(from_um: Points, to_um: Points) -> Matrix:
    """Return the homography (3, 3) of five pairs or more, or the affine map of four.

    Four that remain of more were told from the others as an affine map's.
    """
    if len(from_um) > LEAST_PAIRS:
        return _fit_scaled(from_um, to_um, 0)
    design = np.column_stack([from_um, np.ones(len(from_um))])
    solution, *_ = np.linalg.lstsq(design, to_um, rcond=None)
    return np.vstack([solution.T, [0.0, 0.0, 1.0]])


def _fit_scaled(from_um: Points, to_um: Points, method: int) -> Matrix:
    """Return OpenCV's homography (3, 3), fitted to points about 0 and of spread 1.

    OpenCV computes in 32 bits: far from 0 that costs µm.
    """
    before = _scaling(from_um)
    after = _scaling(to_um)
    matrix, _ = cv2.findHomography(_apply(before, from_um), _apply(after, to_um), method)
    if matrix is None:
        raise InputError("the landmarks do not agree on one transform")
    return np.asarray(np.linalg.inv(after) @ matrix @ before)


def _scaling(points: Points) -> Matrix:
    """Return the map (3, 3) that brings points about 0 and to spread 1."""
    x, y = points.mean(axis=0)
    scale = 1 / _measure_spread(points)
    return np.array([[scale, 0, -scale * x], [0, scale, -scale * y], [0, 0, 1]])


def _measure_spread(points: Points) -> float:
    """Return the root mean square distance of points from their centre."""
    return float(np.sqrt(np.square(points - points.mean(axis=0)).sum(axis=1).mean()))


def _apply(matrix: Matrix, points: Points) -> Points:
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(mapped[:, :2] / mapped[:, 2:])


def _measure_errors(matrix: Matrix, from_um: Points, to_um: Points) -> npt.NDArray[np.float64]:
    return np.asarray(np.hypot(*(_apply(matrix, from_um) - to_um).T))


def _check_count(from_um: Points, to_um: Points, where: tuple[object, object]) -> None:
    if len(from_um) != len(to_um):
        raise InputError(
            "landmarks must correspond one to one",
            where=where[1],
            expected=f"{len(from_um)} as on {where[0]}",
            got=len(to_um),
        )
    if len(from_um) < LEAST_PAIRS:
        raise InputError(
            "too few landmarks for a homography",
            where=where[0],
            expected=f"at least {LEAST_PAIRS}",
            got=len(from_um),
        )


def _check_breadth(points: Points, where: object) -> None:
    """Raise `InputError` for points that coincide or lie on a line."""
    along, across = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    if across <= LEAST_BREADTH * along:
        raise InputError(
            "the landmarks lie on one line",
            where=where,
            expected="places all over the tissue",
            remedy="add a landmark off that line",
        )
