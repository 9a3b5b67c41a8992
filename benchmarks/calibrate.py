"""Fit the verdict's calibration to registrations with known errors.

The index sorts generated registrations by their error; two curves give the error at an index. Real
rows tell only how much larger errors of landmarks set by hand are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import fields, replace
from zlib import crc32

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.registration.verdict.judge import (
    BOUND_SHARE,
    TOLERABLE_ERROR,
    WORST_ERROR,
    Calibration,
    GrossError,
    compute_measures,
    limit_to_pixels,
    load_calibration,
)
from trial_rows import TrialRow
from trust_trials import DOUBTFUL, STITCHED

#: A registration with this median error or more is bad.
BAD_ERROR = 0.01
#: A registration with this median error or more is grossly wrong.
GROSS_ERROR = 0.03
#: Kinds of a real pair whose truth is exact: they do not tell how exact landmarks are.
EXACT = ("same", "rescan")
#: Errors are no smaller: a slide on itself has none, and a curve of logarithms ends above 0.
LEAST_ERROR = 1e-4
#: Errors that split registrations into ordered classes.
CUTS = (0.002, 0.004, 0.007, 0.012, 0.02)
#: The cut whose log-odds the index is.
MIDDLE_CUT = 2
#: Weight of the ridge penalty of the fit.
RIDGE = 0.3
#: Points of the curves.
KNOTS = 6
#: Parts of the blocks of tissue that are held out in turn.
FOLDS = 5
#: Registrations that a point of a curve is computed from, at least.
MIN_WINDOW = 24
#: Registrations of a kind, at least, for its bounds to be widened.
LEAST_KIND = 20
#: Factors that bounds are widened by, in turn.
WIDENINGS = tuple(1 + step / 100 for step in range(100))
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
    """Fit the odds of a gross error, and of all others the index and the error at each index.

    The odds are fitted to all rows. The index sorts generated ones by error. Landmarks set by hand,
    on sections that differ, have larger errors than generated truth; the real rows tell how much
    larger.
    """
    usable = select_rows(rows)
    values, errors = _list_measures(usable)
    weights, (offset,) = _fit_ordinal(values, errors, (GROSS_ERROR,))
    gross = GrossError(_name_weights(weights), round(offset, 3))
    near = [row for row in usable if row.source == "generated" and row.error < GROSS_ERROR]
    values, errors = _list_measures(near)
    weights, offsets = _fit_ordinal(values, errors, CUTS)
    offset = offsets[MIDDLE_CUT]
    index, median, bound = _fit_curves(values @ weights + offset, errors)
    remainder = load_calibration().remainder
    exact = Calibration(
        gross, _name_weights(weights), round(offset, 3), index, median, bound, remainder
    )
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
    return widen_bound(replace(exact, median=median, bound=bound), rows)


def widen_bound(calibration: Calibration, rows: Sequence[TrialRow]) -> Calibration:
    """Return a calibration whose bound is just so wide that it holds for nine of ten in each kind.

    Kinds in which a doubt is due by design are left out, and those of few registrations.
    """
    rows = [row for row in rows if row.kind not in (*STITCHED, *DOUBTFUL)]
    curve = np.array(calibration.bound)
    for factor in WIDENINGS:
        wider = np.round(np.minimum(factor * curve, WORST_ERROR), 5)
        widened = replace(calibration, bound=tuple(wider.tolist()))
        if min(_measure_coverage(widened, rows), default=1.0) >= BOUND_SHARE:
            break
    else:
        raise ValueError(f"bounds {WIDENINGS[-1]} times as wide do not hold in each kind")
    print(f"bounds are {factor:.2f} times as wide, so that they hold in each kind")
    return widened


def _measure_coverage(calibration: Calibration, rows: Sequence[TrialRow]) -> list[float]:
    """Return the share of the bounds that hold, of each kind of usable registrations."""
    held: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        judged = judge_again(row, calibration)
        if judged.status != "failed" and judged.error < 1:
            held[row.kind].append(judged.error <= judged.bound)
    return [float(np.mean(own)) for own in held.values() if len(own) >= LEAST_KIND]


def _list_measures(rows: Sequence[TrialRow]) -> tuple[Values, Values]:
    """Return the measures (N, F) of rows, and their errors (N,)."""
    measures = [list(compute_measures(row.evidence).values()) for row in rows if row.evidence]
    errors = np.clip([row.error for row in rows if row.evidence], LEAST_ERROR, WORST_ERROR)
    return np.array(measures), errors


def _name_weights(weights: Values) -> dict[str, float]:
    """Return the weights that count, by the names of their measures."""
    names = compute_measures(Evidence(*[0.0] * len(fields(Evidence))))
    return {
        name: round(float(weight), 3)
        for name, weight in zip(names, weights, strict=True)
        if abs(weight) > 0.01
    }


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


def _fit_ordinal(
    values: Values, errors: Values, cuts: tuple[float, ...]
) -> tuple[Values, list[float]]:
    """Fit weights (F,) shared by all `cuts`, and the offset of each: proportional odds.

    More of a measure may only count for a registration, never against it.

    McCullagh 1980, "Regression models for ordinal data", doi:10.1111/j.2517-6161.1980.tb01109.x.
    Both sides of each cut count equally; the penalty of a weight is half its square, in standard
    deviations.
    """
    scale = values.std(0)
    count = len(scale)
    beyond = errors[None] >= np.array(cuts)[:, None]
    sign = np.where(beyond, 1, -1)
    share = beyond.mean(axis=1, keepdims=True)
    weight = np.where(beyond, 1 - share, share)

    def cost(x: Values) -> float:
        odds = values / scale @ x[:count] + x[count:, None]
        penalty = 0.5 * RIDGE * np.square(x[:count]).sum()
        return float((weight * np.logaddexp(0, -sign * odds)).sum() + penalty)

    limits = [*[(None, 0.0)] * count, *[(None, None)] * len(cuts)]
    initial = np.zeros(count + len(cuts))
    solution = minimize(cost, initial, bounds=limits, method="L-BFGS-B").x
    return solution[:count] / scale, solution[count:].tolist()


def _fit_curves(index: Values, errors: Values) -> tuple[tuple[float, ...], ...]:
    """Return the index, the median and the 90th percentile of the error at `KNOTS` points.

    The curves never fall.
    """
    order = np.argsort(index)
    index = index[order]
    errors = errors[order]
    width = max(MIN_WINDOW, len(index) // KNOTS)
    middles = np.linspace(width // 2, len(index) - 1 - width // 2, KNOTS).round().astype(int)
    windows = [slice(middle - width // 2, middle + width // 2 + 1) for middle in middles]
    places = [float(np.mean(index[window])) for window in windows]
    median, bound = (
        [float(np.quantile(errors[window], share)) for window in windows] for share in (0.5, 0.9)
    )
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
