"""Run methods on cases: rows that are missing, and the strips of pictures of a case each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from stainbridge.evaluate.methods.alignment import Alignment, fail
from stainbridge.evaluate.peers.exchange import read_clocks
from stainbridge.evaluate.row import slug
from stainbridge.evaluate.slices.ledger import SliceLedger, make_setup
from stainbridge.evaluate.slices.method import LoadedMethod, SliceMethod
from stainbridge.evaluate.slices.pictures import Strip, write_method_grid, write_strip
from stainbridge.evaluate.slices.row import BeforeAfter, SliceRow
from stainbridge.evaluate.slices.scene import SliceScene, open_scene
from stainbridge.evaluate.slices.scores import measure_folds, score_transform
from stainbridge.geometry.transform import Transform
from stainbridge.progress import Progress, ignore_progress
from stainbridge.slides.case import Case

#: The folder of strips.
STRIPS = "strips"
#: What the names of grids begin with.
GRID = "grid"
#: Fraction of the progress after all cases are checked.
CHECKED = 0.05


@dataclass(frozen=True, eq=False)
class SlicePlan:
    """What an evaluation runs: every method on every case."""

    data_sets: Mapping[str, Sequence[Case]]
    """The cases by the name of their data set."""
    methods: Sequence[SliceMethod]
    """The methods."""


@dataclass(frozen=True, eq=False)
class _Run:
    """One method on one case."""

    data_set: str
    case: Case
    method: SliceMethod
    strip: Path | None

    @property
    def key(self) -> tuple[str, str, str]:
        return self.data_set, self.case.id, self.method.name


def run_slices(
    plan: SlicePlan, out: Path | None, progress: Progress = ignore_progress
) -> list[SliceRow]:
    """Run what the folder `out` does not hold yet; return the rows of this plan, in its order.

    The folder keeps rows, and a grid of pictures of the middle case of each data set; without one
    nothing is kept. All cases are read before the first one is registered. Raises `InputError` for
    cases that cannot be scored, methods whose libraries are missing, and a folder with rows of
    other settings.
    """
    for method in plan.methods:
        method.check()
    digests = _check_cases(plan, progress)
    ledger = SliceLedger(out, make_setup(plan.methods, digests))
    if out is not None:
        (out / STRIPS).mkdir(exist_ok=True)
    runs = _list_runs(plan, out)
    loaded: dict[str, LoadedMethod] = {}
    for number, run in enumerate(runs):
        is_done = run.key in ledger.rows and (run.strip is None or run.strip.is_file())
        if not is_done:
            fraction = CHECKED + (1 - CHECKED) * number / len(runs)
            progress(f"{number + 1}/{len(runs)} {run.case.id} {run.method.name}", fraction)
            if run.method.name not in loaded:
                loaded[run.method.name] = run.method.load()
            ledger.add(_run_case(run, loaded[run.method.name]))
    if out is not None:
        _write_grids(out, runs, ledger)
    progress("done", 1.0)
    return [ledger.rows[run.key] for run in runs]


def _check_cases(plan: SlicePlan, progress: Progress) -> dict[str, dict[str, str]]:
    """Return the digest of every case; raise `InputError` for one that cannot be scored."""
    total = sum(map(len, plan.data_sets.values()))
    digests: dict[str, dict[str, str]] = {name: {} for name in plan.data_sets}
    done = 0
    for name, cases in plan.data_sets.items():
        for case in cases:
            progress("checking", CHECKED * done / total)
            with ExitStack() as opened:
                digests[name][case.id] = open_scene(case, opened).digest()
            done += 1
    return digests


def _list_runs(plan: SlicePlan, out: Path | None) -> list[_Run]:
    """List the runs case by case, so that an interrupted evaluation has compared the same cases."""
    runs: list[_Run] = []
    for name, cases in plan.data_sets.items():
        shown = cases[len(cases) // 2]
        for case in cases:
            folder = out if case is shown else None
            runs += [_make_run(name, case, method, folder) for method in plan.methods]
    return runs


def _make_run(data_set: str, case: Case, method: SliceMethod, out: Path | None) -> _Run:
    key = (data_set, case.id, method.name)
    return _Run(data_set, case, method, None if out is None else _place_strip(out, key))


def _place_strip(out: Path, key: tuple[str, str, str]) -> Path:
    return out / STRIPS / f"{slug(key)}.png"


def _run_case(run: _Run, method: LoadedMethod) -> SliceRow:
    with ExitStack() as opened:
        scene = open_scene(run.case, opened)
        before = read_clocks()
        alignment = _align(method, scene)
        seconds, cpu_s = np.subtract(read_clocks(), before).tolist()
        alignment = replace(alignment, seconds=seconds, cpu_s=cpu_s)
        row = make_row(run.key, scene, alignment)
        if run.strip is not None:
            transform = None if row.status == "failed" else alignment.transform
            synthesised = None
            if method.synthesise is not None:
                synthesised = method.synthesise(scene.moving, scene.masks[1])
            write_strip(run.strip, scene, transform, synthesised)
    return row


def _align(method: LoadedMethod, scene: SliceScene) -> Alignment:
    try:
        return method.align(scene.fixed, scene.moving, scene.masks)
    except Exception as error:  # a method may raise anything: that is its result
        lines = str(error).strip().splitlines()
        return fail(f"{type(error).__name__}: {lines[-1] if lines else ''}")


@dataclass(frozen=True)
class _Scored:
    """The scores of a transform; none, and the reason, where it cannot be used."""

    scores: Mapping[str, float] = field(default_factory=dict)
    folded: float | None = None
    reason: str = ""


def _score(scene: SliceScene, transform: Transform | None) -> _Scored:
    if transform is None:
        return _Scored()
    try:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            scores = score_transform(scene, transform)
            folded = measure_folds(scene, transform)
    except Exception as error:  # a transform may be anything: that is the method's result
        return _Scored(reason=f"the transform cannot be used: {error}".splitlines()[0])
    if not all(map(np.isfinite, scores.values())):
        return _Scored(reason="the transform takes landmarks to nowhere")
    return _Scored(scores, folded)


def make_row(key: tuple[str, str, str], scene: SliceScene, alignment: Alignment) -> SliceRow:
    """Score an alignment; one without a usable transform failed."""
    before = score_transform(scene, scene.placement)
    scored = _score(scene, alignment.transform)
    status, reason = alignment.status, alignment.reason
    if alignment.transform is not None and scored.reason:
        status, reason = "failed", scored.reason
    after = scored.scores
    return SliceRow(
        *key,
        status=status if after else "failed",
        seconds=alignment.seconds or 0.0,
        cpu_s=alignment.cpu_s or 0.0,
        folded=scored.folded,
        unit="µm" if scene.fixed.frame.calibrated else "px",
        scores={name: BeforeAfter(value, after.get(name)) for name, value in before.items()},
        reason=reason,
    )


def _write_grids(out: Path, runs: Sequence[_Run], ledger: SliceLedger) -> None:
    """Write a grid for each data set, with all methods that the folder has of the case shown."""
    for run in {run.data_set: run for run in runs if run.strip is not None}.values():
        methods = [key[2] for key in ledger.rows if key[:2] == run.key[:2]]
        known = [Strip(name, _place_strip(out, (*run.key[:2], name))) for name in methods]
        strips = [strip for strip in known if strip.path.is_file()]
        write_method_grid(out / f"{GRID}-{slug((run.data_set,))}.png", strips)
