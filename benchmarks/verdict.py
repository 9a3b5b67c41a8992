"""Collect registrations with known errors, fit the verdict's calibration to them, and test it.

    export STAINBRIDGE_DATA=../shared/data        # only for --of real
    python benchmarks/verdict.py collect rows.csv --of generated --preset fast --pairs 0:40
    python benchmarks/verdict.py collect rows.csv --of real --preset fast
    python benchmarks/verdict.py test docs/verdict/trials.csv --picture docs/images/verdict.png
    python benchmarks/verdict.py fit rows.csv     # writes registration/verdict/calibration.json

`collect` adds a row for each registration that the table does not hold; generated pairs are drawn
once, into the folder `--cache`. `fit` uses generated tissue, and takes from the real rows only how
much larger their errors are. `test` judges all rows, and the real ones separately: once with the
shipped calibration, and once, held out, with calibrations that were fitted without the pair that
they judge. A registration is bad when its median rTRE, of landmarks warped to the fixed slide, is
0.01 or more; slides that do not belong together are always bad.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from stainbridge.registration.pipeline import register_slides
from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.registration.verdict.judge import (
    TOLERABLE_ERROR,
    Calibration,
    Verdict,
    compute_measures,
    load_calibration,
)
from verdict_picture import draw
from verdict_trials import (
    Trial,
    TrialPlan,
    choose_unrelated,
    find_real_pairs,
    make_trial,
    plan_generated_trials,
    plan_real_trials,
    read_generated_pair,
)

#: A registration with this median rTRE or more is bad.
BAD_RTRE = 0.01
#: rTRE at which curves end: beyond half a diagonal all is equally wrong.
WORST_RTRE = 0.5
#: rTREs that split registrations into ordered classes.
CUTS = (0.003, 0.006, 0.01, 0.02, 0.1)
#: Weight of the ridge penalty of the fit.
RIDGE = 0.3
#: Points of the curves.
KNOTS = 16
#: Parts of the pairs that are held out in turn.
FOLDS = 5
#: Registrations that a point of a curve is computed from, at least.
MIN_WINDOW = 24
#: The calibration that stainbridge ships.
CALIBRATION = (
    Path(__file__).parents[1]
    / "src"
    / "stainbridge"
    / "registration"
    / "verdict"
    / "calibration.json"
)
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TrialRow:
    """One registration with its error and the evidence for it."""

    key: str
    """The name of the trial."""
    source: str
    """`generated` or `real`."""
    kind: str
    """What was done to the pair."""
    preset: str
    """The preset that registered it."""
    rtre: float
    """The median rTRE, 1 without a result."""
    seconds: float
    """CPU seconds of the registration."""
    rejected: bool
    """Whether the deformable stage was rejected."""
    evidence: Evidence | None
    """The evidence; None where there was no transform."""


def judge_leniently(evidence: Evidence) -> Verdict:
    """Judge as shipped, but keep every transform, so that its error can be measured."""
    verdict = load_calibration()(evidence)
    return replace(verdict, status="fallback") if verdict.status == "failed" else verdict


def collect(path: Path, todo: Iterable[tuple[TrialPlan, Callable[[], Trial]]]) -> None:
    """Run the trials that the table does not hold yet, and add a row for each."""
    done = {row.key for row in read_rows(path)} if path.exists() else set()
    for plan, make in todo:
        if plan.key in done:
            continue
        row = run_trial(plan, make())
        append_row(path, row)
        print(f"{row.key:60s} {row.rtre:.4f} {row.seconds:5.1f} CPU s", flush=True)


def run_trial(plan: TrialPlan, trial: Trial) -> TrialRow:
    """Run a trial and compare its result with the truth."""
    pair = trial.pair
    start = time.process_time()
    registration = register_slides(
        pair.fixed,
        pair.moving,
        trial.config,
        initial_transform=trial.initial_transform,
        judge=judge_leniently,
    )
    seconds = time.process_time() - start
    rtre = 1.0
    if registration.solution is not None and len(pair.fixed_px):
        warped_px = registration.warp_points(pair.moving_px)
        error_px = float(np.median(np.linalg.norm(warped_px - pair.fixed_px, axis=1)))
        rtre = error_px * max(pair.fixed.frame.mpp) / registration.tissue_um
    rejected = any(
        stage.name == "deformable" and not stage.accepted for stage in registration.stages
    )
    return TrialRow(
        plan.key,
        plan.source,
        plan.kind,
        plan.preset,
        rtre,
        seconds,
        rejected,
        registration.evidence,
    )


def list_generated_trials(
    preset: str, numbers: range, cache: Path
) -> Iterator[tuple[TrialPlan, Callable[[], Trial]]]:
    def make(plan: TrialPlan) -> Trial:
        number = int(plan.pair)
        another, twin = (number, plan.index + 1) if plan.kind == "wrong-alike" else (number + 1, 0)
        return make_trial(
            plan,
            read_generated_pair(number, cache),
            lambda: read_generated_pair(another, cache, twin),
        )

    return ((plan, partial(make, plan)) for plan in plan_generated_trials(preset, numbers))


def list_real_trials(preset: str, root: Path) -> Iterator[tuple[TrialPlan, Callable[[], Trial]]]:
    readers = find_real_pairs(root)

    def make(plan: TrialPlan) -> Trial:
        return make_trial(
            plan, readers[plan.pair](), readers[choose_unrelated(plan, list(readers))]
        )

    return ((plan, partial(make, plan)) for plan in plan_real_trials(preset, readers))


#: The columns of evidence, and all columns of a table.
EVIDENCE = tuple(field.name for field in fields(Evidence))
COLUMNS = ("key", "source", "kind", "preset", "rtre", "seconds", "rejected", *EVIDENCE)


def append_row(path: Path, row: TrialRow) -> None:
    plain = asdict(row)
    plain |= {"rejected": int(row.rejected), **(plain.pop("evidence") or {})}
    plain = {
        name: float(f"{value:.6g}") if isinstance(value, float) else value
        for name, value in plain.items()
    }
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerow(plain)


def read_rows(path: Path) -> list[TrialRow]:
    with path.open(newline="") as file:
        return [_parse_row(entry) for entry in csv.DictReader(file)]


def _parse_row(entry: dict[str, str]) -> TrialRow:
    evidence = None
    if entry["share"]:
        evidence = Evidence(**{name: float(entry[name]) for name in EVIDENCE if name in entry})
    key, source, kind, preset = (entry[name] for name in COLUMNS[:4])
    rejected = entry["rejected"] == "1"
    return TrialRow(
        key, source, kind, preset, float(entry["rtre"]), float(entry["seconds"]), rejected, evidence
    )


def fit(rows: list[TrialRow]) -> Calibration:
    """Fit an index that sorts generated registrations by error, and the error at each index.

    Landmarks set by hand, on sections that differ, have larger errors than generated truth; the
    real rows tell how much larger.
    """
    generated = [
        (compute_measures(row.evidence), row.rtre)
        for row in rows
        if row.source == "generated" and row.evidence
    ]
    values = np.array([list(measured.values()) for measured, _ in generated])
    rtre = np.clip([error for _, error in generated], 0, WORST_RTRE)
    weights, offset = _fit_ordinal(values, rtre)
    index, median, bound = _fit_curves(values @ weights + offset, rtre)
    named = {
        name: round(float(w), 3)
        for name, w in zip(generated[0][0], weights, strict=True)
        if abs(w) > 0.01
    }
    exact = Calibration(named, round(offset, 3), index, median, bound)
    chosen = [
        row
        for row in rows
        if row.source == "real" and "cyto" not in row.key and row.rtre < TOLERABLE_ERROR
    ]
    judged = [(exact(row.evidence), row.rtre) for row in chosen if row.evidence]
    if judged:
        true, expected, bounded = np.array(
            [(rtre, verdict.predicted, verdict.bound) for verdict, rtre in judged]
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

    From `BAD_RTRE` on the latter stand.
    """
    pairs = zip(generated, real, strict=True)
    return tuple(
        hand if hand >= BAD_RTRE else round(float(np.sqrt(exact * hand)), 5)
        for exact, hand in pairs
    )


def _raise_curve(curve: tuple[float, ...], factor: float, added: float) -> tuple[float, ...]:
    """Raise a curve by a factor or, where that is less, by an error added in squares.

    Independent errors add in squares.
    """
    print(f"errors on real sections: {factor:.2f} times as large, or by {added:.4f}, in squares")
    raised = np.minimum(np.minimum(factor * np.array(curve), np.hypot(curve, added)), WORST_RTRE)
    return tuple(np.round(raised, 5).tolist())


def _fit_ordinal(values: Values, rtre: Values) -> tuple[Values, float]:
    """Fit weights (F,) shared by all `CUTS`, and the offset of the middle one: proportional odds.

    More of a measure may only count for a registration, never against it.

    McCullagh 1980, "Regression models for ordinal data", doi:10.1111/j.2517-6161.1980.tb01109.x.
    Both sides of each cut count equally; the penalty of a weight is half its square, in standard
    deviations.
    """
    scale = values.std(0)
    beyond = rtre[None] >= np.array(CUTS)[:, None]
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
    return solution[: -len(CUTS)] / scale, float(solution[-len(CUTS) + CUTS.index(BAD_RTRE)])


def _fit_curves(index: Values, rtre: Values) -> tuple[tuple[float, ...], ...]:
    """Return the index, the median and the 90th percentile of the rTRE at `KNOTS` points.

    The curves never fall. One more point stands for the very best registrations; it has the bound
    of the next, for they are few.
    """
    order = np.argsort(index)
    index = index[order]
    rtre = rtre[order]
    width = max(MIN_WINDOW, len(index) // KNOTS)
    middles = np.linspace(width // 2, len(index) - 1 - width // 2, KNOTS).round().astype(int)
    windows = [slice(middle - width // 2, middle + width // 2 + 1) for middle in middles]
    windows = [slice(0, MIN_WINDOW // 2), *windows]
    places = [float(np.mean(index[window])) for window in windows]
    median, bound = (
        [float(np.quantile(rtre[window], share)) for window in windows] for share in (0.5, 0.9)
    )
    bound[0] = bound[1]
    return tuple(
        tuple(np.round(np.maximum.accumulate(curve), 5).tolist())
        for curve in (places, median, bound)
    )


#: Returns the calibration that judges a registration.
ChooseCalibration = Callable[[TrialRow], Calibration]


def cross_validate(rows: list[TrialRow]) -> ChooseCalibration:
    """Return calibrations that were fitted without the pair that they judge, either direction."""
    fits = []
    for fold in range(FOLDS):
        with redirect_stdout(None):
            fits.append(fit([row for row in rows if _fold(row) != fold]))
    return lambda row: fits[_fold(row)]


def _fold(row: TrialRow) -> int:
    source, pair, *_ = row.key.split("/")
    return crc32(f"{source}/{pair.removesuffix(' reversed')}".encode()) % FOLDS


def judge_row(row: TrialRow, by: ChooseCalibration) -> Verdict:
    """Judge a row: without a transform it is the worst, and never `ok` after a rejected stage."""
    if row.evidence is None:
        return Verdict("failed", "", 1.0, 1.0)
    verdict = by(row)(row.evidence)
    if row.rejected and verdict.status == "ok":
        return replace(verdict, status="fallback")
    return verdict


def compute_indices(rows: list[TrialRow], by: ChooseCalibration) -> Values:
    """Return the index of each row; infinite where there was no transform."""
    return np.array(
        [by(row).compute_index(row.evidence) if row.evidence else np.inf for row in rows]
    )


def roc(score: Values, bad: npt.NDArray[np.bool_]) -> tuple[Values, Values, float]:
    """Return false and true alarm rates at every threshold, and the area under that curve.

    Ties count half.
    """
    order = np.argsort(-score, kind="stable")
    true_rates = np.cumsum(bad[order]) / bad.sum()
    false_rates = np.cumsum(~bad[order]) / (~bad).sum()
    score = score[order]
    last = np.r_[score[1:] != score[:-1], True]
    false_rates = np.r_[0, false_rates[last]]
    true_rates = np.r_[0, true_rates[last]]
    return false_rates, true_rates, float(np.trapezoid(true_rates, false_rates))


def report(rows: list[TrialRow], by: ChooseCalibration) -> None:
    """Print the verdicts on good and bad registrations, for one set of rows."""
    verdicts = [judge_row(row, by) for row in rows]
    rtre = np.array([row.rtre for row in rows])
    score = np.array([verdict.predicted for verdict in verdicts])
    bound = np.array([verdict.bound for verdict in verdicts])
    status = np.array([verdict.status for verdict in verdicts])
    bad = rtre >= BAD_RTRE
    area = roc(compute_indices(rows, by), bad)[2]
    print(f"{len(rows)} registrations, {bad.sum()} of them bad: AUC {area:.4f}")
    for name in ("ok", "fallback", "failed"):
        these = rtre[status == name]
        bad_count = (these >= BAD_RTRE).sum()
        worst = f"worst {these.max():.4f}" if len(these) else ""
        print(
            f"  {name:9s}{len(these):5d}: good {len(these) - bad_count:4d}, "
            f"bad {bad_count:4d}  {worst}"
        )
    usable = status != "failed"
    ratio = score[usable] / rtre[usable]
    print(
        f"  predicted / true of those not failed: median {np.median(ratio):.2f}, "
        f"80 % within {np.quantile(ratio, 0.1):.2f} to {np.quantile(ratio, 0.9):.2f}; "
        f"below the bound: {(rtre[usable] <= bound[usable]).mean():.0%}"
    )


def test(rows: list[TrialRow], picture: Path | None) -> None:
    shipped = load_calibration()

    def by(_row: TrialRow) -> Calibration:
        return shipped

    sets = {"all": rows} | {
        source: [r for r in rows if r.source == source] for source in ("generated", "real")
    }
    sets |= {
        f"preset {name}": [r for r in rows if r.preset == name]
        for name in sorted({r.preset for r in rows})
    }
    for name, chosen in sets.items():
        if chosen:
            print(f"\n{name}: ", end="")
            report(chosen, by)
    held_out = cross_validate(rows)
    for name in ("generated", "real"):
        if sets[name]:
            print(f"\n{name}, held out: ", end="")
            report(sets[name], held_out)
    print("\nkind         n  bad   ok  fallback  failed")
    for kind in sorted({row.kind for row in rows}):
        print(_kind_line(kind, [row for row in rows if row.kind == kind], by))
    for row in rows:
        if judge_row(row, by).status == "ok" and row.rtre > 0.02:
            print("ok above 0.02:", row.key, f"{row.rtre:.4f}")
    if picture is not None:
        save_picture(picture, {name: sets[name] for name in ("generated", "real")}, by)


def _kind_line(kind: str, rows: list[TrialRow], by: ChooseCalibration) -> str:
    status = [judge_row(row, by).status for row in rows]
    counts = [status.count(name) for name in ("ok", "fallback", "failed")]
    bad = sum(row.rtre >= BAD_RTRE for row in rows)
    return f"{kind:10s}{len(rows):4d} {bad:4d} {counts[0]:4d} {counts[1]:6d} {counts[2]:8d}"


def save_picture(path: Path, sets: dict[str, list[TrialRow]], by: ChooseCalibration) -> None:
    curves = {}
    points = {}
    for name, rows in sets.items():
        rtre = np.array([row.rtre for row in rows])
        score = np.array([judge_row(row, by).predicted for row in rows])
        false_rates, true_rates, area = roc(compute_indices(rows, by), rtre >= BAD_RTRE)
        curves[f"{name}: AUC {area:.3f}, {len(rows)} registrations"] = (false_rates, true_rates)
        points[name] = (score, rtre)
    draw(path, curves, points)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("collect", "fit", "test"))
    parser.add_argument("rows", type=Path, nargs="+")
    parser.add_argument("--of", choices=("generated", "real"), default="generated")
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--pairs", default="0:40", help="which generated pairs")
    parser.add_argument(
        "--cache", type=Path, default=Path("verdict-pairs"), help="folder for generated pairs"
    )
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    if options.what == "collect":
        numbers = range(*map(int, options.pairs.split(":")))
        if options.of == "real" and "STAINBRIDGE_DATA" not in os.environ:
            raise SystemExit("set STAINBRIDGE_DATA to the folder of the real pairs")
        todo = (
            list_generated_trials(options.preset, numbers, options.cache)
            if options.of == "generated"
            else list_real_trials(options.preset, Path(os.environ["STAINBRIDGE_DATA"]))
        )
        collect(options.rows[0], todo)
        return
    rows = list(
        {row.key: row for path in options.rows for row in read_rows(path)}.values()
    )  # the last of each key
    if options.what == "test":
        test(rows, options.picture)
        return
    calibration = fit(rows)
    CALIBRATION.write_text(json.dumps(asdict(calibration), indent=1) + "\n")
    print(CALIBRATION.read_text())


if __name__ == "__main__":
    main()
