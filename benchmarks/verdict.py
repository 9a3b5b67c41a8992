"""Can the verdict be trusted? Registrations that went right and wrong, with the truth known, and
what was said of them.

    python benchmarks/verdict.py collect rows.csv --of generated --preset fast --pairs 0:40
    STAINBRIDGE_DATA=../shared/data python benchmarks/verdict.py collect rows.csv --of real --preset fast
    python benchmarks/verdict.py test docs/verdict/trials.csv --picture docs/images/verdict.png
    python benchmarks/verdict.py fit rows.csv     # writes src/stainbridge/registration/verdict/calibration.json

`collect` adds one registration a row and leaves out those that are there already; generated pairs
are drawn once, into the folder `--cache`. `fit` uses generated tissue, and of the real rows how
much farther off they are; `test` looks at all rows, and at the real ones apart, once with the
calibration that is shipped and once, held out, with calibrations that were fitted without the pair
they speak of. A registration is bad when its median rTRE, of landmarks carried to the fixed slide,
is 0.01 or more; slides that do not belong together are always bad.
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
    TOLERABLE_RTRE,
    Calibration,
    Verdict,
    load_calibration,
    compute_measures,
)
from verdict_picture import draw
from verdict_trials import (
    Plan,
    Trial,
    generated_pair,
    generated_plans,
    real_pairs,
    real_plans,
    trial,
    unrelated,
)

BAD_RTRE = 0.01
WORST_RTRE = 0.5
#: Errors between which registrations are sorted.
CUTS = (0.003, 0.006, 0.01, 0.02, 0.1)
RIDGE = 0.3
KNOTS = 16
#: Parts of the pairs that are left out in turn.
FOLDS = 5
LEAST_NEAR = 24  # registrations that a knot speaks for
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
class Row:
    """One registration: its key, what it is, how far off it ended, whether a planned stage was
    rejected, and the evidence, None where there was no map.
    """

    key: str
    source: str
    kind: str
    preset: str
    rtre: float
    seconds: float
    rejected: bool
    evidence: Evidence | None


def lenient(evidence: Evidence) -> Verdict:
    """The load_calibration judge, but nothing is without a transform, so that its error can be measured."""
    found = load_calibration()(evidence)
    return replace(found, status="fallback") if found.status == "failed" else found


def collect(path: Path, todo: Iterable[tuple[Plan, Callable[[], Trial]]]) -> None:
    """Run what the table does not hold yet, a row each."""
    done = {row.key for row in rows_of(path)} if path.exists() else set()
    for plan, make in todo:
        if plan.key in done:
            continue
        row = measured(plan, make())
        add(path, row)
        print(f"{row.key:60s} {row.rtre:.4f} {row.seconds:5.1f} CPU s", flush=True)


def measured(plan: Plan, what: Trial) -> Row:
    """Run a trial and compare with the truth."""
    began, pair = time.process_time(), what.pair
    found = register_slides(pair.fixed, pair.moving, what.config, start=what.start, judge=lenient)
    seconds, rtre = time.process_time() - began, 1.0
    if found.solution is not None and len(pair.fixed_px):
        errors = np.linalg.norm(found.warp_points(pair.moving_px) - pair.fixed_px, axis=1)
        rtre = float(np.median(errors)) / float(
            np.hypot(pair.fixed.frame.width, pair.fixed.frame.height)
        )
    rejected = any(stage.name == "deformable" and not stage.accepted for stage in found.stages)
    return Row(
        plan.key, plan.source, plan.kind, plan.preset, rtre, seconds, rejected, found.evidence
    )


def generated(
    preset: str, numbers: range, cache: Path
) -> Iterator[tuple[Plan, Callable[[], Trial]]]:
    def make(plan: Plan) -> Trial:
        number = int(plan.pair)
        another, twin = (number, plan.index + 1) if plan.kind == "wrong-alike" else (number + 1, 0)
        return trial(
            plan, generated_pair(number, cache), lambda: generated_pair(another, cache, twin)
        )

    return ((plan, partial(make, plan)) for plan in generated_plans(preset, numbers))


def real(preset: str, root: Path) -> Iterator[tuple[Plan, Callable[[], Trial]]]:
    readers = real_pairs(root)

    def make(plan: Plan) -> Trial:
        return trial(plan, readers[plan.pair](), readers[unrelated(plan, list(readers))])

    return ((plan, partial(make, plan)) for plan in real_plans(preset, readers))


EVIDENCE = tuple(field.name for field in fields(Evidence))
COLUMNS = ("key", "source", "kind", "preset", "rtre", "seconds", "rejected", *EVIDENCE)


def add(path: Path, row: Row) -> None:
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


def rows_of(path: Path) -> list[Row]:
    with path.open(newline="") as file:
        return [_row(entry) for entry in csv.DictReader(file)]


def _row(entry: dict[str, str]) -> Row:
    seen = {name: entry[name] for name in EVIDENCE}
    evidence = (
        Evidence(**{name: float(value) for name, value in seen.items()}) if seen["share"] else None
    )
    key, source, kind, preset = (entry[name] for name in COLUMNS[:4])
    rejected = entry["rejected"] == "1"
    return Row(
        key, source, kind, preset, float(entry["rtre"]), float(entry["seconds"]), rejected, evidence
    )


def fit(rows: list[Row]) -> Calibration:
    """An index that sorts generated registrations by their error, and what error goes with it.

    Landmarks set by hand, on sections that differ, lie farther off than generated truth; the real
    rows say how far.
    """
    seen = [
        (compute_measures(row.evidence), row.rtre)
        for row in rows
        if row.source == "generated" and row.evidence
    ]
    values = np.array([list(measured.values()) for measured, _ in seen])
    rtre = np.clip([error for _, error in seen], 0, WORST_RTRE)
    weights, offset = _ordinal(values, rtre)
    index, median, bound = _curves(values @ weights + offset, rtre)
    named = {
        name: round(float(w), 3)
        for name, w in zip(seen[0][0], weights, strict=True)
        if abs(w) > 0.01
    }
    exact = Calibration(named, round(offset, 3), index, median, bound)
    chosen = [
        row
        for row in rows
        if row.source == "real" and "cyto" not in row.key and row.rtre < TOLERABLE_RTRE
    ]
    said = [(exact(row.evidence), row.rtre) for row in chosen if row.evidence]
    if said:
        true, expected, bounded = np.array([(e, v.predicted_rtre, v.bound_rtre) for v, e in said]).T
        factor = max(1.0, float(np.median(true / expected)))
        median = _by_hand(median, factor, _added(true, expected, 0.5))
        bound = _by_hand(bound, factor, _added(true, bounded, 0.9))
    return replace(exact, median=median, bound=bound)


def _added(true: Values, said: Values, share: float) -> float:
    """What `share` of the true errors lie below when it is added to what was said of them, in
    squares.
    """
    return float(np.sqrt(max(0.0, np.quantile(true**2 - said**2, share))))


def _by_hand(curve: tuple[float, ...], factor: float, added: float) -> tuple[float, ...]:
    """The curve raised by a factor, or, where that is less, by something added in squares, as
    errors add that know nothing of each other.
    """
    print(f"errors on real sections: {factor:.2f} times as large, or by {added:.4f}, in squares")
    raised = np.minimum(np.minimum(factor * np.array(curve), np.hypot(curve, added)), WORST_RTRE)
    return tuple(np.round(raised, 5).tolist())


def _ordinal(values: Values, rtre: Values) -> tuple[Values, float]:
    """Weights (F,), one set for all of `CUTS`, and the offset of the middle one: proportional odds.

    More of a measure may only speak for a registration, never against it.

    McCullagh 1980, "Regression models for ordinal data", doi:10.1111/j.2517-6161.1980.tb01109.x.
    Both sides of each cut count alike; half the square of a weight, in standard deviations, is its
    cost.
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
    start = np.zeros(len(scale) + len(CUTS))
    found = minimize(
        cost, start, bounds=[*limits, *[(None, None)] * len(CUTS)], method="L-BFGS-B"
    ).x
    return found[: -len(CUTS)] / scale, float(found[-len(CUTS) + CUTS.index(BAD_RTRE)])


def _curves(index: Values, rtre: Values) -> tuple[tuple[float, ...], ...]:
    """At `KNOTS` places of the index: the median and the 90th percentile of the rTRE near there,
    never falling.
    """
    order = np.argsort(index)
    index, rtre = index[order], rtre[order]
    near = max(LEAST_NEAR, len(index) // KNOTS)
    middles = np.linspace(near // 2, len(index) - 1 - near // 2, KNOTS).round().astype(int)
    windows = [slice(middle - near // 2, middle + near // 2 + 1) for middle in middles]
    places = [float(np.mean(index[window])) for window in windows]
    median, bound = (
        [float(np.quantile(rtre[window], share)) for window in windows] for share in (0.5, 0.9)
    )
    return tuple(
        tuple(np.round(np.maximum.accumulate(curve), 5).tolist()) for curve in (places, median, bound)
    )  # fmt: skip


#: Which calibration speaks of a registration.
By = Callable[[Row], Calibration]


def held_out(rows: list[Row]) -> By:
    """For each registration a calibration that saw no registration of its pair, either way round."""
    fits = []
    for fold in range(FOLDS):
        with redirect_stdout(None):
            fits.append(fit([row for row in rows if _fold(row) != fold]))
    return lambda row: fits[_fold(row)]


def _fold(row: Row) -> int:
    source, pair, *_ = row.key.split("/")
    return crc32(f"{source}/{pair.removesuffix(' reversed')}".encode()) % FOLDS


def judged(row: Row, by: By) -> Verdict:
    """What would have been said: where nothing was found at all, the worst; never `ok` after a
    rejected stage.
    """
    if row.evidence is None:
        return Verdict("failed", "", 1.0, 1.0)
    found = by(row)(row.evidence)
    return replace(found, status="fallback") if row.rejected and found.status == "ok" else found


def indices(rows: list[Row], by: By) -> Values:
    """The index of each; infinite where nothing was found at all."""
    return np.array([by(row).compute_index(row.evidence) if row.evidence else np.inf for row in rows])


def roc(score: Values, bad: npt.NDArray[np.bool_]) -> tuple[Values, Values, float]:
    """False alarms and bad ones found at every threshold, and the area under that curve (ties count
    half).
    """
    order = np.argsort(-score, kind="stable")
    found, alarms = np.cumsum(bad[order]) / bad.sum(), np.cumsum(~bad[order]) / (~bad).sum()
    score = score[order]
    last = np.r_[score[1:] != score[:-1], True]
    alarms, found = np.r_[0, alarms[last]], np.r_[0, found[last]]
    return alarms, found, float(np.trapezoid(found, alarms))


def report(rows: list[Row], by: By) -> None:
    """What is said of good and of bad ones, for one set of rows."""
    verdicts = [judged(row, by) for row in rows]
    rtre = np.array([row.rtre for row in rows])
    score = np.array([verdict.predicted_rtre for verdict in verdicts])
    bound = np.array([verdict.bound_rtre for verdict in verdicts])
    status = np.array([verdict.status for verdict in verdicts])
    bad = rtre >= BAD_RTRE
    print(
        f"{len(rows)} registrations, {bad.sum()} of them bad: AUC {roc(indices(rows, by), bad)[2]:.4f}"
    )
    for name in ("ok", "fallback", "failed"):
        these = rtre[status == name]
        bad_ones, worst = (
            (these >= BAD_RTRE).sum(),
            f"worst {these.max():.4f}" if len(these) else "",
        )
        print(
            f"  {name:9s}{len(these):5d}: good {len(these) - bad_ones:4d}, bad {bad_ones:4d}  {worst}"
        )
    right = status != "failed"
    ratio = score[right] / rtre[right]
    print(f"  predicted / true of those not failed: median {np.median(ratio):.2f}, "
          f"80 % within {np.quantile(ratio, 0.1):.2f} to {np.quantile(ratio, 0.9):.2f}; "
          f"below the bound: {(rtre[right] <= bound[right]).mean():.0%}")  # fmt: skip


def test(rows: list[Row], picture: Path | None) -> None:
    shipped = load_calibration()
    by: By = lambda _row: shipped  # noqa: E731
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
    apart = held_out(rows)
    for name in ("generated", "real"):
        if sets[name]:
            print(f"\n{name}, held out: ", end="")
            report(sets[name], apart)
    print("\nkind         n  bad   ok  fallback  failed")
    for kind in sorted({row.kind for row in rows}):
        print(_kind_line(kind, [row for row in rows if row.kind == kind], by))
    for row in rows:
        if judged(row, by).status == "ok" and row.rtre > 0.02:
            print("ok above 0.02:", row.key, f"{row.rtre:.4f}")
    if picture is not None:
        save_picture(picture, {name: sets[name] for name in ("generated", "real")}, by)


def _kind_line(kind: str, rows: list[Row], by: By) -> str:
    status = [judged(row, by).status for row in rows]
    counts = [status.count(name) for name in ("ok", "fallback", "failed")]
    bad = sum(row.rtre >= BAD_RTRE for row in rows)
    return f"{kind:10s}{len(rows):4d} {bad:4d} {counts[0]:4d} {counts[1]:6d} {counts[2]:8d}"


def save_picture(path: Path, sets: dict[str, list[Row]], by: By) -> None:
    curves, points = {}, {}
    for name, rows in sets.items():
        rtre = np.array([row.rtre for row in rows])
        score = np.array([judged(row, by).predicted_rtre for row in rows])
        alarms, found, area = roc(indices(rows, by), rtre >= BAD_RTRE)
        curves[f"{name}: AUC {area:.3f}, {len(rows)} registrations"] = (alarms, found)
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
    asked = parser.parse_args()
    if asked.what == "collect":
        numbers = range(*map(int, asked.pairs.split(":")))
        if asked.of == "real" and "STAINBRIDGE_DATA" not in os.environ:
            raise SystemExit("set STAINBRIDGE_DATA to the folder of the real pairs")
        todo = (
            generated(asked.preset, numbers, asked.cache)
            if asked.of == "generated"
            else real(asked.preset, Path(os.environ["STAINBRIDGE_DATA"]))
        )
        collect(asked.rows[0], todo)
        return
    rows = list(
        {row.key: row for path in asked.rows for row in rows_of(path)}.values()
    )  # the last of each key
    if asked.what == "test":
        test(rows, asked.picture)
        return
    found = fit(rows)
    CALIBRATION.write_text(json.dumps(asdict(found), indent=1) + "\n")
    print(CALIBRATION.read_text())


if __name__ == "__main__":
    main()
