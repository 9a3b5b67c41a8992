"""Fit the verdict's calibration to registrations with known errors.

The index sorts generated registrations by their error; two curves give the error at an index. Real
rows tell only how much larger errors of landmarks set by hand are.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from zlib import crc32

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from stainbridge.registration.verdict.judge import (
    TOLERABLE_ERROR,
    Calibration,
    compute_measures,
    limit_to_pixels,
    load_calibration,
)
from trial_rows import TrialRow
from trust_trials import DOUBTFUL, STITCHED

#: A registration with this median error or more is bad.
BAD_ERROR = 0.01
#: Error at which curves end: beyond half a diagonal all is equally wrong.
WORST_ERROR = 0.5
#: Kinds of a real pair whose truth is exact: they do not tell how exact landmarks are.
EXACT = ("same", "rescan")
#: Errors are no smaller: a slide on itself has none, and a curve of logarithms ends above 0.
LEAST_ERROR = 1e-4
#: Errors that split registrations into ordered classes.
CUTS = (0.003, 0.006, 0.01, 0.02, 0.1)
#: Weight of the ridge penalty of the fit.
RIDGE = 0.3
#: Points of the curves.
KNOTS = 16
#: Parts of the blocks of tissue that are held out in turn.
FOLDS = 5
#: Registrations that a point of a curve is computed from, at least.
MIN_WINDOW = 24
Values = npt.NDArray[np.float64]


def select_rows(rows: Sequence[TrialRow]) -> list[TrialRow]:
    """Return the rows that a calibration can be fitted to.

    Their evidence is of the transform whose error is known. Where slides are wrongly stitched or
    doubled it cannot be: most of the tissue fits well, and the doubts beside the index tell. A
    slide on itself is left out too: it would teach that errors are 0.
    """
    return [
        row
        for row in rows
        if row.evidence is not None
        and row.joined == 1
        and row.kind not in (*STITCHED, *DOUBTFUL, "same")
    ]


def fit(rows: Sequence[TrialRow]) -> Calibration:
    """Fit an index that sorts generated registrations by error, and the error at each index.

    Landmarks set by hand, on sections that differ, have larger errors than generated truth; the
    real rows tell how much larger.
    """
    usable = select_rows(rows)
    generated = [
        (compute_measures(row.evidence), row.error)
        for row in usable
        if row.source == "generated" and row.evidence
    ]
    values = np.array([list(measured.values()) for measured, _ in generated])
    errors = np.clip([error for _, error in generated], LEAST_ERROR, WORST_ERROR)
    weights, offset = _fit_ordinal(values, errors)
    index, median, bound = _fit_curves(values @ weights + offset, errors)
    named = {
        name: round(float(w), 3)
        for name, w in zip(generated[0][0], weights, strict=True)
        if abs(w) > 0.01
    }
    remainder = load_calibration().remainder
    exact = Calibration(named, round(offset, 3), index, median, bound, remainder)
    chosen = [
        row
        for row in usable
        if row.source == "real" and row.kind not in EXACT and row.error < TOLERABLE_ERROR
    ]
    judged = [(exact(row.evidence), row.error) for row in chosen if row.evidence]
    if judged:
        true, expected, bounded = np.array(
            [
                (max(error, LEAST_ERROR), verdict.predicted, verdict.bound)
                for verdict, error in judged
            ]
        ).T
        factor = max(1.0, float(np.median(true / expected)))
        raised = _raise_curve(median, factor, _landmark_error(true, expected, 0.5))
        median = _average_errors(median, raised)
        bound = _raise_curve(bound, factor, _landmark_error(true, bounded, 0.9))
    return replace(exact, median=median, bound=bound)


def _landmark_error(true: Values, predicted: Values, share: float) -> float:
    """Return the error that lifts predictions over a share of the true ones, added in squares."""
    return float(np.sqrt(max(0.0, np.quantile(true**2 - predicted**2, share))))


def _average_errors(generated: tuple[float, ...], real: tuple[float, ...]) -> tuple[float, ...]:
    """Return the geometric means: as far, as a factor, from exact truth as from landmarks by hand.

    From `BAD_ERROR` on the latter stand.
    """
    pairs = zip(generated, real, strict=True)
    return tuple(
        hand if hand >= BAD_ERROR else round(float(np.sqrt(exact * hand)), 5)
        for exact, hand in pairs
    )


def _raise_curve(curve: tuple[float, ...], factor: float, added: float) -> tuple[float, ...]:
    """Raise a curve by a factor or, where that is less, by an error added in squares.

    Independent errors add in squares.
    """
    print(f"errors on real sections: {factor:.2f} times as large, or by {added:.4f}, in squares")
    raised = np.minimum(np.minimum(factor * np.array(curve), np.hypot(curve, added)), WORST_ERROR)
    return tuple(np.round(raised, 5).tolist())


def _fit_ordinal(values: Values, errors: Values) -> tuple[Values, float]:
    """Fit weights (F,) shared by all `CUTS`, and the offset of the middle one: proportional odds.

    More of a measure may only count for a registration, never against it.

    McCullagh 1980, "Regression models for ordinal data", doi:10.1111/j.2517-6161.1980.tb01109.x.
    Both sides of each cut count equally; the penalty of a weight is half its square, in standard
    deviations.
    """
    scale = values.std(0)
    beyond = errors[None] >= np.array(CUTS)[:, None]
    sign = np.where(beyond, 1, -1)
    share = beyond.mean(axis=1, keepdims=True)
    count = np.where(beyond, 1 - share, share)

    def cost(x: Values) -> float:
        odds = values / scale @ x[: -len(CUTS)] + x[-len(CUTS) :, None]
        return float(
            (count * np.logaddexp(0, -sign * odds)).sum()
            + 0.5 * RIDGE * np.square(x[: -len(CUTS)]).sum()
        )

    limits = [(None, 0.0)] * len(scale)
    initial = np.zeros(len(scale) + len(CUTS))
    solution = minimize(
        cost, initial, bounds=[*limits, *[(None, None)] * len(CUTS)], method="L-BFGS-B"
    ).x
    return solution[: -len(CUTS)] / scale, float(solution[-len(CUTS) + CUTS.index(BAD_ERROR)])


def _fit_curves(index: Values, errors: Values) -> tuple[tuple[float, ...], ...]:
    """Return the index, the median and the 90th percentile of the error at `KNOTS` points.

    The curves never fall. One more point stands for the very best registrations; it has the bound
    of the next, for they are few.
    """
    order = np.argsort(index)
    index = index[order]
    errors = errors[order]
    width = max(MIN_WINDOW, len(index) // KNOTS)
    middles = np.linspace(width // 2, len(index) - 1 - width // 2, KNOTS).round().astype(int)
    windows = [slice(middle - width // 2, middle + width // 2 + 1) for middle in middles]
    windows = [slice(0, MIN_WINDOW // 2), *windows]
    places = [float(np.mean(index[window])) for window in windows]
    median, bound = (
        [float(np.quantile(errors[window], share)) for window in windows] for share in (0.5, 0.9)
    )
    bound[0] = bound[1]
    return tuple(
        tuple(np.round(np.maximum.accumulate(curve), 5).tolist())
        for curve in (places, median, bound)
    )


def judge_again(row: TrialRow, calibration: Calibration) -> TrialRow:
    """Return what a row would say of itself by another calibration.

    A result of several pieces, and one without evidence, says what it said.
    """
    if row.evidence is None or row.joined > 1:
        return row
    verdict = limit_to_pixels(calibration(row.evidence), row.pixel)
    status = verdict.status
    if row.is_doubted and status == "ok":
        status = "fallback"
    return replace(row, status=status, predicted=verdict.predicted, bound=verdict.bound)


def judge_held_out(rows: Sequence[TrialRow]) -> list[TrialRow]:
    """Return what rows say by calibrations that were fitted without their block of tissue."""
    folds = [crc32(row.block.encode()) % FOLDS for row in rows]
    fits = []
    for fold in range(FOLDS):
        with redirect_stdout(None):
            fits.append(fit([row for row, own in zip(rows, folds, strict=True) if own != fold]))
    return [judge_again(row, fits[fold]) for row, fold in zip(rows, folds, strict=True)]
