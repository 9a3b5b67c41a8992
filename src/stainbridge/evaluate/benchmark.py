"""A whole benchmark: data sets, methods and starts in; rows, tables, submissions and the page out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from stainbridge.errors import InputError
from stainbridge.evaluate.job import Job, Row
from stainbridge.evaluate.ledger import Ledger, setup_of
from stainbridge.evaluate.methods.registry import method
from stainbridge.evaluate.runner import run_jobs
from stainbridge.evaluate.starts import StartKind, starts
from stainbridge.progress import Progress, ignore_progress
from stainbridge.slides.case import Case


@dataclass(frozen=True, eq=False)
class Plan:
    """What to run: cases by the name of their data set, methods by name, kinds of starts.

    `both_directions` also registers every pair the other way round; `roots` are the folders of data
    sets, which rows name slides in.
    """

    data_sets: Mapping[str, Sequence[Case]]
    methods: tuple[str, ...]
    kinds: tuple[StartKind, ...] = ("given",)
    hard_starts: int = 12
    seed: int = 0
    timeout_s: float = 600.0
    workers: int = 1
    both_directions: bool = False
    roots: Mapping[str, Path] = field(default_factory=dict)


def run(plan: Plan, out: Path, progress: Progress = ignore_progress) -> list[Row]:
    """Run what `out` does not hold yet; returns the rows of this plan, in its order.

    Raises `InputError` for methods that do not exist or whose libraries are missing, cases without
    landmarks, and a folder with runs of another setup.
    """
    methods = [method(name) for name in plan.methods]
    for item in methods:
        item.check()
    data_sets = {name: _cases(cases, plan) for name, cases in plan.data_sets.items()}
    jobs = _jobs(data_sets, plan)
    setup = setup_of(
        methods, data_sets, seed=plan.seed, hard_starts=plan.hard_starts, timeout_s=plan.timeout_s
    )
    ledger = Ledger(out, setup)
    run_jobs(jobs, ledger, out, workers=plan.workers, timeout_s=plan.timeout_s, progress=progress)
    return [ledger.rows[job.key] for job in jobs]


def _cases(cases: Sequence[Case], plan: Plan) -> list[Case]:
    known = [case for case in cases if case.landmarks is not None or case.moving_only is not None]
    return known + [
        reverse(case) for case in known if plan.both_directions and case.landmarks is not None
    ]


def reverse(case: Case) -> Case:
    """The same pair with fixed and moving exchanged."""
    return replace(
        case,
        id=f"{case.id} reversed",
        open_fixed=case.open_moving,
        open_moving=case.open_fixed,
        landmarks=None if case.landmarks is None else (case.landmarks[1], case.landmarks[0]),
        open_fixed_mask=case.open_moving_mask,
        open_moving_mask=case.open_fixed_mask,
        cover=(),
    )


def _jobs(data_sets: dict[str, list[Case]], plan: Plan) -> list[Job]:
    """Case by case, start by start, so that a benchmark that is cut short has compared its methods
    on the same runs.
    """
    jobs = [
        Job(name, case, method, start, plan.roots.get(name))
        for name, cases in data_sets.items()
        for case in cases
        for start in starts(plan.kinds, plan.hard_starts, plan.seed)
        if start.kind == "given" or case.landmarks is not None
        for method in plan.methods
    ]
    if not jobs:
        raise InputError(
            "no case has landmarks", where=", ".join(data_sets), expected="at least one that has"
        )
    return jobs
