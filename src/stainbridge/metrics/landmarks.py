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
from scipy.stats import rankdata

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.landmarks import Landmarks
from stainbridge.geometry.placement import place_unregistered
from stainbridge.geometry.transform import Transform
from stainbridge.types import Points

Errors: TypeAlias = npt.NDArray[np.float64]  # (N,), one a landmark


@dataclass(frozen=True)
class Spread:
    """Median, mean, 90th percentile and maximum of some errors, in their unit."""

    median: float
    mean: float
    p90: float
    max: float

    def times(self, factor: float) -> Spread:
        """The same errors in another unit."""
        return Spread(
            self.median * factor, self.mean * factor, self.p90 * factor, self.max * factor
        )


@dataclass(frozen=True)
class ErrorTable:
    """The same errors in µm, in full-resolution pixels and as a fraction of the diagonal, all of
    the fixed slide.
    """

    tre_um: Spread
    tre_px: Spread
    rtre: Spread


@dataclass(frozen=True)
class LandmarkScores:
    """Landmark errors before and after a registration; `robustness` is the fraction of landmarks
    that improved.
    """

    n: int
    before: ErrorTable
    after: ErrorTable
    robustness: float


@dataclass(frozen=True)
class CaseErrors:
    """rTRE of one case before a registration and after it; `after` is None where the method gave no
    result.

    `robustness` is 0 where there is no result; `InputError` is raised for anything else there.
    """

    before: Spread
    after: Spread | None
    robustness: float = 0.0

    def __post_init__(self) -> None:
        if self.after is None and self.robustness:
            raise InputError(
                "a case without a result has no robustness", expected=0, got=self.robustness
            )

    @property
    def counted(self) -> Spread:
        """What ANHIR counts: a missing result is the unregistered case."""
        return self.before if self.after is None else self.after


@dataclass(frozen=True)
class AnhirScores:
    """One method over many cases, missing results counted as unregistered.

    `amrtre`, `mmrtre`: mean and median over cases of the median rTRE; `amaxrtre`: mean of the
    largest; `robustness`: mean over cases.
    """

    cases: int
    missing: int
    amrtre: float
    mmrtre: float
    amaxrtre: float
    robustness: float


@dataclass(frozen=True)
class AcrobatScores:
    """The 90th percentile error per image, summarised over images: the median (2022) and the mean
    (2023), in µm.
    """

    images: int
    median_p90_um: float
    mean_p90_um: float


def target_registration_errors(points: Points, truth: Points) -> Errors:
    """Distances, (N,), of points to where they belong, both (N, 2), in the points' unit.

    Raises `InputError` when the counts differ.
    """
    if len(points) != len(truth):
        raise InputError(
            "landmarks must correspond one to one", expected=len(truth), got=len(points)
        )
    return np.asarray(np.linalg.norm(np.asarray(points) - truth, axis=1))


def spread(errors: Errors) -> Spread:
    """Summarise (N,) errors; raises `InputError` when there are none."""
    if not len(errors):
        raise InputError("there are no landmarks to evaluate", expected="at least one")
    return Spread(
        float(np.median(errors)),
        float(np.mean(errors)),
        float(np.percentile(errors, 90)),
        float(np.max(errors)),
    )


def robustness(before: Errors, after: Errors) -> float:
    """The fraction of landmarks whose error became smaller, 0 to 1; both (N,)."""
    return float(np.mean(after < before))


def error_table(points_um: Points, truth_um: Points, frame: Frame) -> ErrorTable:
    """Errors of points against the truth, both (N, 2) in µm of the slide whose full-resolution
    frame is `frame`.
    """
    errors_um = target_registration_errors(points_um, truth_um)
    errors_px = target_registration_errors(frame.to_px(points_um), frame.to_px(truth_um))
    return ErrorTable(spread(errors_um), spread(errors_px), spread(errors_um / frame.diagonal_um))


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
        before=error_table(unmoved_um, fixed.points_um, fixed.frame),
        after=error_table(moved_um, fixed.points_um, fixed.frame),
        robustness=robustness(before, after),
    )


def case_errors(rtre_before: Errors, rtre_after: Errors | None) -> CaseErrors:
    """The errors of a case from those of its landmarks, (N,); raises `InputError` when there are
    none.

    A result that does not take every landmark to a finite place is none.
    """
    if rtre_after is None or not np.isfinite(rtre_after).all():
        return CaseErrors(spread(rtre_before), None)
    return CaseErrors(spread(rtre_before), spread(rtre_after), robustness(rtre_before, rtre_after))


def anhir_scores(cases: Sequence[CaseErrors]) -> AnhirScores:
    """Summarise one method over its cases; raises `InputError` when there are none."""
    if not cases:
        raise InputError("there are no cases to summarise", expected="at least one")
    medians = [case.counted.median for case in cases]
    return AnhirScores(
        cases=len(cases),
        missing=sum(case.after is None for case in cases),
        amrtre=float(np.mean(medians)),
        mmrtre=float(np.median(medians)),
        amaxrtre=float(np.mean([case.counted.max for case in cases])),
        robustness=float(np.mean([case.robustness for case in cases])),
    )


def average_ranks(methods: Mapping[str, Sequence[CaseErrors]]) -> dict[str, float]:
    """ANHIR's average rank: methods are ranked by median rTRE on every case, 1 the best, and ranks
    averaged over cases.

    `methods` gives the same cases in the same order for each method; a missing result ranks as
    unregistered, ties share their mean rank. Raises `InputError` when the methods' counts of cases
    differ or are 0.
    """
    counts = sorted({len(cases) for cases in methods.values()})
    if len(counts) != 1 or counts[0] == 0:
        raise InputError(
            "methods are ranked on the same cases", expected="one count above 0", got=counts
        )
    medians = np.array([[case.counted.median for case in cases] for cases in methods.values()])
    return dict(zip(methods, rankdata(medians, axis=0).mean(axis=1).tolist(), strict=True))


def acrobat_scores(images_um: Sequence[Spread]) -> AcrobatScores:
    """Summarise the landmark errors of each image, in µm; raises `InputError` when there are none."""
    if not images_um:
        raise InputError("there are no images to summarise", expected="at least one")
    p90 = [errors.p90 for errors in images_um]
    return AcrobatScores(len(p90), float(np.median(p90)), float(np.mean(p90)))
