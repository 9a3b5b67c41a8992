"""Try what `ok` promises on the kinds of slides that users have, and calibrate the verdict.

    export STAINBRIDGE_DATA=../shared/data        # without it real pairs are left out
    python benchmarks/trust.py collect rows.csv --pairs 0:42 --seeds 2:92
    python benchmarks/trust.py show docs/verdict/trials.csv --picture docs/images/verdict.png
    python benchmarks/trust.py show docs/verdict/trials.csv --judged held-out
    python benchmarks/trust.py fit docs/verdict/trials.csv     # writes calibration.json
    python benchmarks/trust.py widen docs/verdict/trials.csv   # widens its bounds alone

`collect` adds a row for each trial that the table does not hold yet. The first trials are a fair
sample of all. Generated pairs are drawn once, into the folder `--cache`.

The error is the largest of the medians over the landmarks of each piece or band, over the diagonal
of the fixed tissue. It is 1 where nothing corresponds. What failed is run again with a judge that
lets it pass, so that its error and its evidence are known too.

`show` prints a table by kind: as the registrations were judged when they ran, by the calibration
that is shipped, or held out, by calibrations that were fitted without the block of tissue. The last
line leaves out the kinds in which a doubt is due by design.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np

from calibrate import BAD_ERROR, Values, fit, judge_again, judge_held_out, widen_bound
from stainbridge.geometry.piecewise import Piecewise
from stainbridge.registration.pipeline import register_slides
from stainbridge.registration.result import Registration
from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.registration.verdict.judge import (
    LEAST_PREDICTED_PX,
    STATUSES,
    TOLERABLE_ERROR,
    Verdict,
    limit_to_pixels,
    load_calibration,
)
from trial_rows import TrialRow, append_row, read_rows
from trials import Trial, TrialPlan
from trust_trials import (
    DOUBTFUL,
    PIECES,
    STITCHED,
    keep_real_pairs,
    list_trials,
    make_trust_trial,
)
from verdict_picture import draw
from verdict_trials import find_real_pairs

#: Factor within which the predicted error should be.
FACTOR = 3.0
#: Kinds whose truth holds a reason to doubt even a right registration: tissue that is cut, taken
#: away or doubled; pieces that are missing, or control tissue.
REASONS = (*STITCHED, *DOUBTFUL, *PIECES, "half")
#: The calibration that stainbridge ships.
CALIBRATION = (
    Path(__file__).parents[1]
    / "src"
    / "stainbridge"
    / "registration"
    / "verdict"
    / "calibration.json"
)


def judge_leniently(evidence: Evidence) -> Verdict:
    """Judge as shipped, but keep every transform, so that its error can be measured."""
    verdict = load_calibration()(evidence)
    return replace(verdict, status="fallback") if verdict.status == "failed" else verdict


def run_trial(plan: TrialPlan, trial: Trial) -> TrialRow:
    """Run a trial and compare its result with the truth."""
    fixed, moving = trial.pair.fixed, trial.pair.moving
    run = partial(
        register_slides, fixed, moving, trial.config, initial_transform=trial.initial_transform
    )
    start = time.process_time()
    said = run()
    seconds = time.process_time() - start
    is_hidden = said.status == "failed" and len(trial.pair.fixed_px) > 0
    shown = run(judge=judge_leniently) if is_hidden else said
    error, misplaced = measure_error(trial, shown)
    row = TrialRow(
        key=plan.key,
        kind=plan.kind,
        preset=plan.preset,
        error=error,
        misplaced=misplaced,
        status=said.status,
        predicted=said.predicted_tissue_rtre,
        bound=said.bound_tissue_rtre,
        pixel=max(fixed.frame.mpp) / said.tissue_um,
        joined=count_joined(shown),
        is_doubted=False,
        seconds=seconds,
        evidence=shown.evidence,
    )
    return replace(row, is_doubted=is_doubted(row))


def is_doubted(row: TrialRow) -> bool:
    """Whether a row is `fallback` though its evidence alone would be `ok`."""
    if row.evidence is None or row.status != "fallback":
        return False
    return limit_to_pixels(load_calibration()(row.evidence), row.pixel).status == "ok"


def count_joined(result: Registration) -> int:
    """Return how many transforms of pieces a result joins; its evidence is of one transform."""
    return len(result.solution.pieces) if isinstance(result.solution, Piecewise) else 1


def measure_error(trial: Trial, result: Registration) -> tuple[float, float]:
    """Return the largest of the medians over each group of landmarks ÷ the tissue's diagonal.

    The second is the share of all landmarks that are farther off than is tolerable.
    """
    pair = trial.pair
    if result.solution is None or not len(pair.fixed_px):
        return 1.0, 1.0
    warped = result.warp_points(pair.moving_px)
    apart_um = np.hypot(*((warped - pair.fixed_px) * pair.fixed.frame.mpp).T)
    errors = apart_um / result.tissue_um
    names = np.full(len(errors), "") if trial.groups is None else trial.groups
    medians = [np.median(errors[names == name]) for name in np.unique(names)]
    return float(max(medians)), float((errors > TOLERABLE_ERROR).mean())


def collect(
    path: Path, preset: str, pairs: range, seeds: range, cache: Path, kinds: Sequence[str]
) -> None:
    """Run the trials that the table does not hold yet, and add a row for each.

    `kinds` are those to run; none: all.
    """
    root = os.environ.get("STAINBRIDGE_DATA")
    real = {} if root is None else keep_real_pairs(find_real_pairs(Path(root)))
    names = [name for name in real if "cyto" not in name]  # smears are large
    done = {row.key for row in read_rows(path)} if path.exists() else set()
    for plan in list_trials(preset, pairs, seeds, names):
        if plan.key in done or (kinds and plan.kind not in kinds):
            continue
        row = run_trial(plan, make_trust_trial(plan, real, cache))
        append_row(path, row)
        print(f"{row.key:50s} {row.status:8s} {row.error:.4f} {row.seconds:5.1f} CPU s", flush=True)


def show(rows: Sequence[TrialRow]) -> None:
    """Print a table by kind, and every `ok` that is wrong."""
    print(
        "| kind | trials | ok | fallback | failed | right | of these ok | wrong ok | bound held |"
        " predicted within 3 |"
    )
    print("| --- " * 10 + "|")
    for kind in (*sorted({row.kind for row in rows}), "all"):
        print(describe_kind(kind, [row for row in rows if kind in (row.kind, "all")]))
    for source in sorted({row.source for row in rows}):
        print(describe_kind(f"all {source}", [row for row in rows if row.source == source]))
    whole = [row for row in rows if row.kind not in REASONS]
    print(describe_kind("all without a reason to doubt", whole))
    others = [row for row in rows if row.kind not in DOUBTFUL]
    print(f"\nareas under the curve: {describe_areas(others)}")
    print(f"without a reason to doubt: {describe_areas(whole)}")
    for row in rows:
        if row.status == "ok" and (row.error > TOLERABLE_ERROR or row.kind in DOUBTFUL):
            print(f"{row.key:50s} ok, error {row.error:.4f}, predicted {row.predicted:.4f}")


def describe_areas(rows: Sequence[TrialRow]) -> str:
    """Return the areas of right from other, and of right from wrong registrations.

    Errors between `BAD_ERROR` and `TOLERABLE_ERROR` are neither right nor wrong.
    """
    clear = [row for row in rows if not BAD_ERROR <= row.error <= TOLERABLE_ERROR]
    areas = [
        (kind, len(chosen), roc(np.array([rank_row(row) for row in chosen]), bad)[2])
        for kind, chosen in (("other", rows), ("wrong", clear))
        for bad in [np.array([row.error >= BAD_ERROR for row in chosen])]
    ]
    return "; ".join(f"right from {kind} {area:.4f} of {count}" for kind, count, area in areas)


def describe_kind(kind: str, rows: Sequence[TrialRow]) -> str:
    """Return one line of the table."""
    counts = [sum(row.status == status for row in rows) for status in STATUSES]
    right = [row for row in rows if row.error < BAD_ERROR and row.kind not in DOUBTFUL]
    right_ok = sum(row.status == "ok" for row in right)
    wrong_ok = sum(row.status == "ok" and row.error > TOLERABLE_ERROR for row in rows)
    usable = [row for row in rows if row.status != "failed" and row.error < 1]
    held = sum(row.error <= row.bound for row in usable)
    near = sum(is_near(row) for row in usable)
    shares = [f"{right_ok} of {len(right)}", str(wrong_ok)]
    shares += [f"{held} of {len(usable)}", f"{near} of {len(usable)}"]
    return f"| {' | '.join([kind, str(len(rows)), *map(str, counts), str(len(right)), *shares])} |"


def is_near(row: TrialRow) -> bool:
    """Whether the expected error is within a factor of the true one.

    An error of less than nothing can tell counts as that.
    """
    error = max(row.error, LEAST_PREDICTED_PX * row.pixel)
    return 1 / FACTOR <= row.predicted / error <= FACTOR


def rank_row(row: TrialRow) -> float:
    """Return a number that is larger the less the registration is trusted."""
    return STATUSES.index(row.status) + min(0.99, np.nan_to_num(row.predicted, nan=0.99))


def roc(score: Values, bad: np.ndarray) -> tuple[Values, Values, float]:
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


def save_picture(path: Path, rows: Sequence[TrialRow]) -> None:
    """Draw the curve and the predicted beside the true errors, of generated and real rows."""
    curves = {}
    points = {}
    for name in ("generated", "real"):
        own = [row for row in rows if row.source == name and row.kind not in DOUBTFUL]
        errors = np.array([row.error for row in own])
        false_rates, true_rates, area = roc(
            np.array([rank_row(row) for row in own]), errors >= BAD_ERROR
        )
        curves[f"{name}: AUC {area:.3f}, {len(own)} registrations"] = (false_rates, true_rates)
        points[name] = (np.array([row.predicted for row in own]), errors)
    draw(path, curves, points)


def main() -> None:
    """Run trials, show them, or fit or widen the calibration by them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("collect", "show", "fit", "widen"))
    parser.add_argument("rows", type=Path)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--pairs", default="0:42", help="which generated pairs")
    parser.add_argument("--seeds", default="2:92", help="which slides of several pieces")
    parser.add_argument("--kinds", nargs="+", default=[], help="which kinds; default: all")
    parser.add_argument("--cache", type=Path, default=Path("trust-pairs"), help="drawn pairs")
    parser.add_argument("--judged", choices=("then", "now", "held-out"), default="then")
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    if options.what == "collect":
        pairs, seeds = (
            range(*map(int, text.split(":"))) for text in (options.pairs, options.seeds)
        )
        collect(options.rows, options.preset, pairs, seeds, options.cache, options.kinds)
        return
    rows = read_rows(options.rows)
    if options.what in ("fit", "widen"):
        fitted = fit(rows) if options.what == "fit" else widen_bound(load_calibration(), rows)
        CALIBRATION.write_text(json.dumps(asdict(fitted), indent=1) + "\n")
        return
    if options.judged == "held-out":
        rows = judge_held_out(rows)
    elif options.judged == "now":
        rows = [judge_again(row, load_calibration()) for row in rows]
    show(rows)
    if options.picture is not None:
        save_picture(options.picture, rows)


if __name__ == "__main__":
    main()
