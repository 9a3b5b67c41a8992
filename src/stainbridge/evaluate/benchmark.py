"""Run a whole benchmark: data sets, methods and starts in, rows out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from stainbridge.errors import InputError
from stainbridge.evaluate.ledger import Ledger, make_setup
from stainbridge.evaluate.methods.registry import find_method
from stainbridge.evaluate.row import Row
from stainbridge.evaluate.run import Run
from stainbridge.evaluate.runner import execute_runs, ignore_row
from stainbridge.evaluate.starts import StartKind, list_starts
from stainbridge.progress import Progress, ignore_progress
from stainbridge.slides.case import Case


@dataclass(frozen=True, eq=False)
class BenchmarkPlan:
    """What a benchmark runs: every method on every case from every start."""

    data_sets: Mapping[str, Sequence[Case]]
    """The cases by the name of their data set."""
    methods: tuple[str, ...]
    """The names of the methods."""
    kinds: tuple[StartKind, ...] = ("given",)
    """The kinds of starts: slides as given, disturbed ones, or both."""
    hard_starts: int = 12
    """How many hard starts of a case spread over 360°."""
    every: int = 1
    """Of these, one in this many is run."""
    seed: int = 0
    """The seed that hard starts are drawn from."""
    timeout_s: float = 600.0
    """The time limit of a registration in seconds."""
    workers: int = 1
    """How many runs at a time."""
    both_directions: bool = False
    """Whether every pair is also registered with fixed and moving exchanged."""
    roots: Mapping[str, Path] = field(default_factory=dict)
    """The folders of data sets, by name; rows name slides relative to them."""


def run_benchmark(
    plan: BenchmarkPlan,
    out: Path,
    progress: Progress = ignore_progress,
    on_row: Callable[[Row], None] = ignore_row,
) -> list[Row]:
    """Run what the folder `out` does not hold yet; return the rows of this plan, in its order.

    `on_row` is called with each new row. Raises `InputError` for methods that do not exist or
    whose libraries are missing, cases without landmarks, and a folder with runs of another setup.
    """
    methods = [find_method(name) for name in plan.methods]
    for method in methods:
        method.check()
    data_sets = {name: _benchmark_cases(cases, plan) for name, cases in plan.data_sets.items()}
    runs = _list_runs(data_sets, plan)
    setup = make_setup(
        methods, data_sets, seed=plan.seed, hard_starts=plan.hard_starts, timeout_s=plan.timeout_s
    )
    ledger = Ledger(out, setup)
    execute_runs(
        runs,
        ledger,
        out,
        workers=plan.workers,
        timeout_s=plan.timeout_s,
        progress=progress,
        on_row=on_row,
    )
    return [ledger.rows[run.key] for run in runs]


def _benchmark_cases(cases: Sequence[Case], plan: BenchmarkPlan) -> list[Case]:
    """Return the cases that have landmarks, and where asked for the same ones reversed."""
    known = [case for case in cases if case.landmarks is not None or case.moving_only is not None]
    return known + [
        reverse_case(case) for case in known if plan.both_directions and case.landmarks is not None
    ]


def reverse_case(case: Case) -> Case:
    """Return the same pair with fixed and moving exchanged."""
    return replace(
        case,
        id=f"{case.id} reversed",
        open_fixed=case.open_moving,
        open_moving=case.open_fixed,
        landmarks=None if case.landmarks is None else (case.landmarks[1], case.landmarks[0]),
        open_fixed_mask=case.open_moving_mask,
        open_moving_mask=case.open_fixed_mask,
        cover=(),
        open_fixed_labels=case.open_moving_labels,
        open_moving_labels=case.open_fixed_labels,
    )


def _list_runs(data_sets: dict[str, list[Case]], plan: BenchmarkPlan) -> list[Run]:
    """List the runs case by case and start by start.

    So a benchmark that is interrupted has compared its methods on the same cases and starts.
    """
    runs = [
        Run(name, case, method, start, plan.roots.get(name))
        for name, cases in data_sets.items()
        for case in cases
        for start in list_starts(plan.kinds, plan.hard_starts, plan.seed, plan.every)
        if start.kind == "given" or case.landmarks is not None
        for method in plan.methods
    ]
    if not runs:
        places = ", ".join(str(plan.roots.get(name, name)) for name in data_sets)
        raise InputError("no case has landmarks", where=places, expected="at least one that has")
    return runs
