"""Try what `ok` promises on the kinds of slides that users have, and print a table by kind.

    export STAINBRIDGE_DATA=../shared/data        # without it real pairs are left out
    python benchmarks/trust.py collect rows.csv --pairs 0:8 --seeds 2:14
    python benchmarks/trust.py show docs/verdict/trust.csv

`collect` adds a row for each trial that the table does not hold yet.

The error is the largest of the medians over the landmarks of each piece or band, over the diagonal
of the fixed tissue. It is 1 where nothing corresponds. What failed is run again with a judge that
lets it pass, so that its error and its evidence are known too.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from stainbridge.registration.pipeline import register_slides
from stainbridge.registration.result import Registration
from stainbridge.registration.verdict.evidence import Evidence
from trust_trials import DOUBTFUL, TrustPlan, TrustTrial, list_plans, make_trust_trial
from verdict import judge_leniently, roc
from verdict_trials import find_real_pairs

#: Error from which an `ok` is wrong, over the tissue's diagonal.
WRONG = 0.02
#: Error below which a registration is right.
RIGHT = 0.01
#: Factor within which the predicted error should be.
FACTOR = 3.0
EVIDENCE = tuple(field.name for field in fields(Evidence))
STATUSES = ("ok", "fallback", "failed")


@dataclass(frozen=True)
class TrustRow:
    """One registration: its error, and what it said of itself."""

    key: str
    """The name of the trial."""
    kind: str
    """What was done to the slides."""
    preset: str
    """The preset that registered them."""
    error: float
    """Largest median error of a piece ÷ the tissue's diagonal."""
    status: str
    """`ok`, `fallback` or `failed`."""
    predicted: float
    """Expected error in the same unit."""
    bound: float
    """Bound in the same unit."""
    pixel: float
    """A pixel of the fixed slide in the same unit."""
    seconds: float
    """CPU seconds."""
    reason: str
    """Why."""


def run_trial(plan: TrustPlan, preset: str, trial: TrustTrial) -> tuple[TrustRow, Evidence | None]:
    """Run a trial and compare its result with the truth."""
    slides = trial.fixed, trial.moving
    start = time.process_time()
    said = register_slides(*slides, trial.config, initial_transform=trial.initial)
    seconds = time.process_time() - start
    shown = said
    if said.status == "failed" and len(trial.fixed_px):
        shown = register_slides(
            *slides, trial.config, initial_transform=trial.initial, judge=judge_leniently
        )
    row = TrustRow(
        key=f"{plan.key}/{preset}",
        kind=plan.kind,
        preset=preset,
        error=measure_error(trial, shown),
        status=said.status,
        predicted=said.predicted_tissue_rtre,
        bound=said.bound_tissue_rtre,
        pixel=max(trial.fixed.frame.mpp) / said.tissue_um,
        seconds=seconds,
        reason=said.reason,
    )
    return row, shown.evidence


def measure_error(trial: TrustTrial, result: Registration) -> float:
    """Return the largest of the medians over each group of landmarks ÷ the tissue's diagonal."""
    if result.solution is None or not len(trial.fixed_px):
        return 1.0
    warped = result.warp_points(trial.moving_px)
    apart_um = np.hypot(*((warped - trial.fixed_px) * trial.fixed.frame.mpp).T)
    groups = (apart_um[trial.groups == name] for name in np.unique(trial.groups))
    return float(max(np.median(group) for group in groups)) / result.tissue_um


def collect(path: Path, preset: str, pairs: range, seeds: range, cache: Path) -> None:
    """Run the trials that the table does not hold yet, and add a row for each."""
    root = os.environ.get("STAINBRIDGE_DATA")
    real = {} if root is None else find_real_pairs(Path(root))
    names = [name for name in real if "cyto" not in name and "reversed" not in name]
    done = {row.key for row, _ in read_rows(path)} if path.exists() else set()
    for plan in list_plans(pairs, seeds, names):
        if f"{plan.key}/{preset}" in done:
            continue
        row, evidence = run_trial(plan, preset, make_trust_trial(plan, preset, real, cache))
        append_row(path, row, evidence)
        print(f"{row.key:50s} {row.status:8s} {row.error:.4f} {row.seconds:5.1f} CPU s", flush=True)


def append_row(path: Path, row: TrustRow, evidence: Evidence | None) -> None:
    """Add a row to the table, with the evidence in columns of its own."""
    plain = asdict(row) | ({} if evidence is None else asdict(evidence))
    plain = {
        name: float(f"{value:.6g}") if isinstance(value, float) else value
        for name, value in plain.items()
    }
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, (*(field.name for field in fields(TrustRow)), *EVIDENCE))
        if is_new:
            writer.writeheader()
        writer.writerow(plain)


def read_rows(path: Path) -> list[tuple[TrustRow, Evidence | None]]:
    """Read a table."""
    with path.open(newline="") as file:
        return [_parse(entry) for entry in csv.DictReader(file)]


def _parse(entry: dict[str, str]) -> tuple[TrustRow, Evidence | None]:
    texts = ("key", "kind", "preset", "status", "reason")
    row = TrustRow(
        **{
            field.name: entry[field.name] if field.name in texts else float(entry[field.name])
            for field in fields(TrustRow)
        }
    )
    if not entry["share"]:
        return row, None
    return row, Evidence(**{name: float(entry[name]) for name in EVIDENCE})


def show(rows: Sequence[TrustRow]) -> None:
    """Print a table by kind, and every `ok` that is wrong."""
    print(
        "| kind | trials | ok | fallback | failed | right | of these ok | wrong ok | bound held |"
        " predicted within 3 |"
    )
    print("| --- " * 10 + "|")
    for kind in (*sorted({row.kind for row in rows}), "all"):
        print(describe_kind(kind, [row for row in rows if kind in (row.kind, "all")]))
    doubtful = [row for row in rows if row.kind in DOUBTFUL]
    others = [row for row in rows if row.kind not in DOUBTFUL]
    bad = np.array([row.error >= RIGHT for row in others])
    area = roc(np.array([rank_row(row) for row in others]), bad)[2]
    print(f"\narea under the curve {area:.4f} of {len(others)}")
    for row in rows:
        if row.status == "ok" and (row.error > WRONG or row in doubtful):
            print(f"{row.key:50s} ok, error {row.error:.4f}, predicted {row.predicted:.4f}")


def describe_kind(kind: str, rows: Sequence[TrustRow]) -> str:
    """Return one line of the table."""
    counts = [sum(row.status == status for row in rows) for status in STATUSES]
    right = [row for row in rows if row.error < RIGHT and row.kind not in DOUBTFUL]
    right_ok = sum(row.status == "ok" for row in right)
    wrong_ok = sum(row.status == "ok" and row.error > WRONG for row in rows)
    usable = [row for row in rows if row.status != "failed" and row.error < 1]
    held = sum(row.error <= row.bound for row in usable)
    near = sum(1 / FACTOR <= row.predicted / max(row.error, 1e-9) <= FACTOR for row in usable)
    shares = [f"{right_ok} of {len(right)}", str(wrong_ok)]
    shares += [f"{held} of {len(usable)}", f"{near} of {len(usable)}"]
    return f"| {' | '.join([kind, str(len(rows)), *map(str, counts), str(len(right)), *shares])} |"


def rank_row(row: TrustRow) -> float:
    """Return a number that is larger the less the registration is trusted."""
    return STATUSES.index(row.status) + min(0.99, np.nan_to_num(row.predicted, nan=0.99))


def main() -> None:
    """Run or show trials."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("collect", "show"))
    parser.add_argument("rows", type=Path)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--pairs", default="0:8", help="which generated pairs")
    parser.add_argument("--seeds", default="2:14", help="which slides of several pieces")
    parser.add_argument("--cache", type=Path, default=Path("trust-pairs"), help="drawn pairs")
    options = parser.parse_args()
    if options.what == "show":
        show([row for row, _ in read_rows(options.rows)])
        return
    pairs, seeds = (range(*map(int, text.split(":"))) for text in (options.pairs, options.seeds))
    collect(options.rows, options.preset, pairs, seeds, options.cache)


if __name__ == "__main__":
    main()
