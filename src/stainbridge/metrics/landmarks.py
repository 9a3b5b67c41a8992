"""Landmark errors of one case, and over many as in the ANHIR and ACROBAT challenges.

Borovec et al. 2020, "ANHIR: Automatic non-rigid histological image registration challenge",
doi:10.1109/TMI.2020.2986331. Weitz et al. 2024, "The ACROBAT 2022 challenge: Automatic registration
of breast cancer tissue", doi:10.1016/j.media.2024.103257.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.landmarks import Landmarks
from stainbridge.geometry.placement import place_unregistered
from stainbridge.geometry.transform import Transform
from stainbridge.types import Points

#: (N,), one for each landmark.
Errors: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ErrorSummary:
    """Some errors summarised, in their unit."""

    median: float
    """Median."""
    mean: float
    """Mean."""
    p90: float
    """90th percentile."""
    max: float
    """Maximum."""

    def scale(self, factor: float) -> ErrorSummary:
        """Return the same errors in another unit."""
        return ErrorSummary(
            self.median * factor, self.mean * factor, self.p90 * factor, self.max * factor
        )


@dataclass(frozen=True)
class ErrorTable:
    """The same errors in three units of the fixed slide."""

    tre_um: ErrorSummary
    """In µm."""
    tre_px: ErrorSummary
    """In full-resolution pixels."""
    rtre: ErrorSummary
    """As a fraction of the diagonal."""


@dataclass(frozen=True)
class LandmarkScores:
    """Landmark errors before and after a registration."""

    n: int
    """Number of landmarks."""
    before: ErrorTable
    """Errors of the unregistered slides."""
    after: ErrorTable
    """Errors after the registration."""
    robustness: float
    """Fraction of landmarks that improved."""


@dataclass(frozen=True)
class CaseErrors:
    """rTRE of one case before and after a registration.

    Raises `InputError` for a robustness without a result.
    """

    before: ErrorSummary
    """rTRE of the unregistered slides."""
    after: ErrorSummary | None
    """rTRE after the registration; None where the method gave no result."""
    robustness: float = 0.0
    """Fraction of landmarks that improved; 0 where there is no result."""

    def __post_init__(self) -> None:
        if self.after is None and self.robustness:
            raise InputError(
                "a case without a result has no robustness", expected=0, got=self.robustness
            )

    @property
    def effective(self) -> ErrorSummary:
        """The errors that ANHIR counts: those before where a result is missing."""
        return self.before if self.after is None else self.after


@dataclass(frozen=True)
class AnhirScores:
    """One method over many cases; a missing result counts as unregistered."""

    cases: int
    """Number of cases."""
    missing: int
    """Number of cases without a result."""
    amrtre: float
    """Mean over cases of the median rTRE."""
    mmrtre: float
    """Median over cases of the median rTRE."""
    amaxrtre: float
    """Mean over cases of the largest rTRE."""
    robustness: float
    """Mean over cases of the robustness."""


@dataclass(frozen=True)
class AcrobatScores:
    """The 90th percentile of each image's errors, summarised over images."""

    images: int
    """Number of images."""
    median_p90_um: float
    """Median over images, in µm, which ranked methods in 2022."""
    mean_p90_um: float
    """Mean over images, in µm, which ranked methods in 2023."""


def target_registration_errors(points: Points, truth: Points) -> Errors:
    """Return the distances, (N,), of points from where they belong, both (N, 2).

    In the points' unit. Raises `InputError` when the counts differ.
    """
    if len(points) != len(truth):
        raise InputError(
            "landmarks must correspond one to one", expected=len(truth), got=len(points)
        )
    return np.asarray(np.linalg.norm(np.asarray(points) - truth, axis=1))


def summarise_errors(errors: Errors) -> ErrorSummary:
    """Summarise (N,) errors; raises `InputError` when there are none."""
    if not len(errors):
        raise InputError("there are no landmarks to evaluate", expected="at least one")
    return ErrorSummary(
        float(np.median(errors)),
        float(np.mean(errors)),
        float(np.percentile(errors, 90)),
        float(np.max(errors)),
    )


def robustness(before: Errors, after: Errors) -> float:
    """Return the fraction of landmarks whose error became smaller, 0 to 1; both (N,)."""
    return float(np.mean(after < before))


def tabulate_errors(points_um: Points, truth_um: Points, frame: Frame) -> ErrorTable:
    """Compare points with the truth, both (N, 2) in µm of one slide.

    `frame` is the slide's full-resolution frame.
    """
    errors_um = target_registration_errors(points_um, truth_um)
    errors_px = target_registration_errors(frame.to_px(points_um), frame.to_px(truth_um))
    return ErrorTable(
        summarise_errors(errors_um),
        summarise_errors(errors_px),
        summarise_errors(errors_um / frame.diagonal_um),
    )


def score_landmarks(
    moving_from_fixed: Transform, fixed: Landmarks, moving: Landmarks
) -> LandmarkScores:
    """Bring the moving landmarks to the fixed slide and compare them there with the fixed ones.

    "Before" places the slides by `place_unregistered`. Raises `InputError` when the counts differ
    or there are no landmarks.
    """
    unregistered = place_unregistered(fixed.frame.space, moving.frame.space)
    unmoved_um = unregistered.inverse()(moving.points_um)
    moved_um = moving_from_fixed.inverse()(moving.points_um)
    before = target_registration_errors(unmoved_um, fixed.points_um)
    after = target_registration_errors(moved_um, fixed.points_um)
    return LandmarkScores(
        n=len(after),
        before=tabulate_errors(unmoved_um, fixed.points_um, fixed.frame),
        after=tabulate_errors(moved_um, fixed.points_um, fixed.frame),
        robustness=robustness(before, after),
    )


def summarise_case(rtre_before: Errors, rtre_after: Errors | None) -> CaseErrors:
    """Summarise a case by the errors of its landmarks, (N,).

    A result that does not take every landmark to a finite place counts as missing. Raises
    `InputError` when there are no landmarks.
    """
    if rtre_after is None or not np.isfinite(rtre_after).all():
        return CaseErrors(summarise_errors(rtre_before), None)
    return CaseErrors(
        summarise_errors(rtre_before),
        summarise_errors(rtre_after),
        robustness(rtre_before, rtre_after),
    )


def anhir_scores(cases: Sequence[CaseErrors]) -> AnhirScores:
    """Summarise one method over its cases; raises `InputError` when there are none."""
    if not cases:
        raise InputError("there are no cases to summarise", expected="at least one")
    medians = [case.effective.median for case in cases]
    return AnhirScores(
        cases=len(cases),
        missing=sum(case.after is None for case in cases),
        amrtre=float(np.mean(medians)),
        mmrtre=float(np.median(medians)),
        amaxrtre=float(np.mean([case.effective.max for case in cases])),
        robustness=float(np.mean([case.robustness for case in cases])),
    )


def average_ranks(methods: Mapping[str, Sequence[CaseErrors]]) -> dict[str, float]:
    """Return ANHIR's average rank of each method; 1 is the best.

    Methods are ranked by median rTRE on every case, and ranks averaged over cases. `methods` gives
    the same cases in the same order for each method; a missing result ranks as unregistered, ties
    share their mean rank. Raises `InputError` when the methods' counts of cases differ or are 0.
    """
    from scipy.stats import rankdata  # takes longer to import than all else here

    counts = sorted({len(cases) for cases in methods.values()})
    if len(counts) != 1 or counts[0] == 0:
        raise InputError(
            "methods are ranked on the same cases", expected="one count above 0", got=counts
        )
    medians = np.array([[case.effective.median for case in cases] for cases in methods.values()])
    return dict(zip(methods, rankdata(medians, axis=0).mean(axis=1).tolist(), strict=True))


def acrobat_scores(images_um: Sequence[ErrorSummary]) -> AcrobatScores:
    """Summarise the landmark errors of all images, in µm; raises `InputError` for no images."""
    if not images_um:
        raise InputError("there are no images to summarise", expected="at least one")
    p90 = [errors.p90 for errors in images_um]
    return AcrobatScores(len(p90), float(np.median(p90)), float(np.mean(p90)))
