"""Measure landmark errors and time of `register` on the real pairs, with `stainbridge.evaluate`.

    STAINBRIDGE_DATA=../shared/data python benchmarks/registration.py given --preset default
    STAINBRIDGE_DATA=../shared/data python benchmarks/registration.py hard --preset fast --every 1
    STAINBRIDGE_DATA=../shared/data python benchmarks/registration.py cytology --preset accurate

`given` and `cytology` register slides as given, in both directions; `hard` disturbs the moving
slide as `benchmark landmarks --starts hard` does, with 24 starts a pair. rTRE is the landmark error
on the fixed slide ÷ the fixed slide's diagonal, px the median error on the moving slide in its
pixels. A registration without a result counts as unregistered.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from real_pairs import HARD_STARTS, SECTIONS, read_sets
from stainbridge.evaluate.benchmark import BenchmarkPlan, reverse_case, run_benchmark
from stainbridge.evaluate.row import Row
from stainbridge.evaluate.summary import summarise
from stainbridge.slides.case import Case

#: The data set of scans of one slide by four scanners.
CYTOLOGY = ("cytology_4scanner",)
#: Best peer's median rTRE per pair, as measured on these data with each peer's own configuration.
BEST_PEER = {
    "rat_kidney_HE_PanCK": 0.0019,
    "lesion1_HE_proSPC": 0.0037,
    "lesion3_He_CD31": 0.0040,
    "lesion3_He_Ki67": 0.0086,
    "lesion3_CD31_Ki67": 0.0043,
}
#: rTRE by which a result may be worse than the best peer's and still count as equal to it.
PEER_TOLERANCE = 3e-4


def order_cases(cases: Iterable[Case], what: str, back: bool) -> list[Case]:
    """Return the pairs in the directions that are asked for."""
    if what == "hard":
        return [reverse_case(case) if back else case for case in cases]
    return [direction for case in cases for direction in (case, reverse_case(case))]


def table_line(row: Row, show_peer: bool) -> str:
    rtre = float("nan") if row.errors is None else row.errors.effective.median
    peer = BEST_PEER.get(row.case.removesuffix(" reversed")) if show_peer else None
    reached = peer is not None and rtre <= peer + PEER_TOLERANCE
    target = "" if peer is None else f"{peer:.4f}" + (" reached" if reached else "")
    start = row.moving.partition(":")[2] if row.kind == "hard" else ""
    return (
        f"{row.case + start:38s} {row.status:9s} {rtre:7.4f} {_number(row.moving_tre_px):7.2f} "
        f"{row.robustness:8.1%} {row.folded or 0.0:7.2%} {_number(row.seconds):6.2f} "
        f"{_number(row.predicted_rtre):9.4f}  {target}"
    )


def summary_line(rows: list[Row]) -> str:
    (summary,) = summarise(rows)
    errors_px = [_number(row.moving_tre_px) for row in rows]
    return (
        f"{len(rows)} registrations; MMrTRE {summary.scores.mmrtre:.4f}, "
        f"AMrTRE {summary.scores.amrtre:.4f}, "
        f"success (median rTRE < 0.01) {summary.success:.1%}, "
        f"median error {np.nanmedian(errors_px):.2f} px, "
        f"landmarks improved {summary.scores.robustness:.1%}, with folds {summary.folded}, "
        f"seconds median {_number(summary.seconds):.2f} max {_number(summary.longest_s):.2f}, "
        f"peak memory {_number(summary.peak_mb):.0f} MB"
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("given", "hard", "cytology"))
    parser.add_argument("--preset", default="default")
    parser.add_argument("--every", type=int, default=1, help="hard: take every n-th start")
    parser.add_argument("--back", action="store_true", help="hard: fixed and moving exchanged")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    data_sets = read_sets(CYTOLOGY if options.what == "cytology" else SECTIONS)
    plan = BenchmarkPlan(
        {
            data_set.name: order_cases(data_set.cases, options.what, options.back)
            for data_set in data_sets
        },
        methods=(options.preset,),
        kinds=("hard",) if options.what == "hard" else ("given",),
        hard_starts=HARD_STARTS,
        every=options.every,
        seed=options.seed,
        roots={data_set.name: data_set.root for data_set in data_sets},
    )
    columns = f"{'improved':>8s} {'folded':>7s} {'s':>6s} {'predicted':>9s}  best peer"
    print(f"{'pair':38s} {'status':9s} {'rTRE':>7s} {'px':>7s} {columns}")

    def print_row(row: Row) -> None:
        print(table_line(row, show_peer=options.what == "given"), flush=True)

    with TemporaryDirectory(prefix="stainbridge-registration-") as folder:
        rows = run_benchmark(plan, Path(folder), on_row=print_row)
    print(f"\n{options.what}, preset {options.preset}: {summary_line(rows)}")


if __name__ == "__main__":
    main()
