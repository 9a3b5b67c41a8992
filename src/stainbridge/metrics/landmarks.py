"""Landmark errors: TRE, rTRE and robustness, as in the ANHIR challenge.

Borovec et al. 2020, "ANHIR: Automatic non-rigid histological image registration challenge",
doi:10.1109/TMI.2020.2986331.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.landmarks import Landmarks
from stainbridge.geometry.transform import Transform
from stainbridge.types import Points


@dataclass(frozen=True)
class Spread:
    """Median, mean, 90th percentile and maximum of some errors, in their unit."""

    median: float
    mean: float
    p90: float
    max: float


@dataclass(frozen=True)
class ErrorTable:
    """The same errors in µm, in full-resolution pixels and as a fraction of the diagonal, all of the fixed slide."""

    tre_um: Spread
    tre_px: Spread
    rtre: Spread


@dataclass(frozen=True)
class LandmarkScores:
    """Landmark errors before and after a registration; `robustness` is the fraction of landmarks that improved."""

    n: int
    before: ErrorTable
    after: ErrorTable
    robustness: float


def target_registration_errors(points: Points, truth: Points) -> npt.NDArray[np.float64]:
    """Distances, (N,), of points to where they belong, both (N, 2), in the points' unit.

    Raises `InputError` when the counts differ.
    """
    if len(points) != len(truth):
        raise InputError("landmarks must correspond one to one", expected=len(truth), got=len(points))
    return np.asarray(np.linalg.norm(np.asarray(points) - truth, axis=1))


def spread(errors: npt.NDArray[np.float64]) -> Spread:
    """Summarise (N,) errors; raises `InputError` when there are none."""
    if not len(errors):
        raise InputError("there are no landmarks to evaluate", expected="at least one")
    return Spread(
        float(np.median(errors)), float(np.mean(errors)), float(np.percentile(errors, 90)), float(np.max(errors))
    )


def robustness(before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> float:
    """The fraction of landmarks whose error became smaller, 0 to 1; both (N,)."""
    return float(np.mean(after < before))


def error_table(points_um: Points, truth_um: Points, frame: Frame) -> ErrorTable:
    """Errors of points against the truth, both (N, 2) in µm of the slide whose full-resolution frame is `frame`."""
    errors_um = target_registration_errors(points_um, truth_um)
    errors_px = target_registration_errors(frame.to_px(points_um), frame.to_px(truth_um))
    return ErrorTable(spread(errors_um), spread(errors_px), spread(errors_um / frame.diagonal_um))


def score_landmarks(moving_from_fixed: Transform, fixed: Landmarks, moving: Landmarks) -> LandmarkScores:
    """Bring the moving landmarks to the fixed slide and compare them there with the fixed ones.

    "Before" lays the slides on each other by their top-left corners. Raises `InputError` when the counts differ or
    there are no landmarks.
    """
    moved_um = moving_from_fixed.inverse()(moving.points_um)
    before = target_registration_errors(moving.points_um, fixed.points_um)
    after = target_registration_errors(moved_um, fixed.points_um)
    return LandmarkScores(
        n=len(after),
        before=error_table(moving.points_um, fixed.points_um, fixed.frame),
        after=error_table(moved_um, fixed.points_um, fixed.frame),
        robustness=robustness(before, after),
    )
