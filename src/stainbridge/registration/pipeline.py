"""The pipeline: prepare, attempt, once more from another search where that does not convince,
refine in tiles.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial

import torch

from stainbridge.errors import InputError
from stainbridge.geometry.transform import Chain, Transform
from stainbridge.imaging.image import Image
from stainbridge.registration.attempt import Attempt, Progress, Task, attempt
from stainbridge.registration.config import RegisterConfig
from stainbridge.registration.parallel import spread
from stainbridge.registration.result import Registration, StageRecord
from stainbridge.registration.sections.density import Masks
from stainbridge.registration.sections.section import forget_shrunk, section_of
from stainbridge.registration.stages.learned_stages import Networks
from stainbridge.registration.stages.tiles import CloseUp
from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.registration.verdict.judge import Judge, Verdict, calibrated, doubts
from stainbridge.registration.verdict.verification import folded_share
from stainbridge.slides.slide import Slide

#: A share of edges that rises by less has not risen.
NO_BETTER = 1e-3
#: Of the progress: where tiles begin, and what is set aside for a second search, which few pairs
#: take.
TILES_FROM, AGAIN = 0.7, 0.1


@dataclass(frozen=True, eq=False)
class _Run:
    fixed: Slide
    moving: Slide
    config: RegisterConfig
    began: float
    threads: int
    networks: Networks
    judge: Judge
    masks: Masks

    def failed(self, reason: str, stages: tuple[StageRecord, ...]) -> Registration:
        return self._outcome(
            Verdict("failed", reason, float("nan"), float("nan")), stages, None, None
        )

    def judged(
        self,
        evidence: Evidence,
        stages: tuple[StageRecord, ...],
        solution: Transform,
        note: str = "",
    ) -> Registration:
        """What the evidence says of a solution; `note` says what was planned and rejected."""
        found = self.judge(evidence)
        if note and found.status != "failed":
            found = replace(found, status="fallback", reason=f"{note}; {found.reason}")
        return self._outcome(
            found, stages, None if found.status == "failed" else solution, evidence
        )

    def _outcome(
        self,
        found: Verdict,
        stages: tuple[StageRecord, ...],
        solution: Transform | None,
        evidence: Evidence | None,
    ) -> Registration:
        return Registration(
            fixed=self.fixed.frame,
            moving=self.moving.frame,
            status=found.status,
            reason=found.reason,
            stages=stages,
            seconds=time.perf_counter() - self.began,
            predicted_rtre=found.predicted_rtre,
            bound_rtre=found.bound_rtre,
            evidence=evidence,
            seed=self.config.seed,
            config=self.config.to_dict(),
            solution=solution,
        )


def register_slides(
    fixed: Slide,
    moving: Slide,
    config: RegisterConfig,
    *,
    start: Transform | None = None,
    fixed_mask: Image | None = None,
    moving_mask: Image | None = None,
    progress: Progress | None = None,
    judge: Judge | None = None,
) -> Registration:
    """Find `moving_from_fixed`. A failure is returned with its reason, never raised and never an
    identity.

    `start` replaces the global search (its affine part is refined). Masks are (1, h, w), not 0
    where tissue may be used. `judge` says what the result is worth; the calibrated one unless
    another is given.
    """
    device = device_of(config)
    threads = (config.threads or torch.get_num_threads()) if device == "cpu" else 1
    networks, masks = Networks.of(config, device), (fixed_mask, moving_mask)
    run = _Run(
        fixed, moving, config, time.perf_counter(), threads, networks, judge or calibrated(), masks
    )
    tell = progress or (lambda _stage, _share: None)
    # A device context costs a Python call per operation; without one tensors are made on the CPU.
    with _one_thread_an_operation(), torch.device(device) if device != "cpu" else nullcontext():
        try:
            return _register(run, start, tell)
        finally:
            forget_shrunk()


def device_of(config: RegisterConfig) -> str:
    """Where to compute; raises `InputError` when "cuda" is asked for and there is none."""
    if config.device == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "no CUDA device can be used",
            expected="a GPU and a CUDA build of torch",
            remedy="use auto or cpu",
        )
    return "cuda" if config.device != "cpu" and torch.cuda.is_available() else "cpu"


@contextmanager
def _one_thread_an_operation() -> Iterator[None]:
    """The stages spread whole pieces of work over the cores (`parallel.py`)."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _register(run: _Run, start: Transform | None, tell: Progress) -> Registration:
    tell("prepare", 0.0)
    slides, config = (run.fixed, run.moving), run.config
    sides = tuple(zip(slides, run.masks, strict=True))
    fixed, moving = spread(
        lambda side: section_of(side[0], config.working_px, side[1]), sides, run.threads
    )
    if fixed is None or moving is None:
        return run.failed(
            f"no tissue found on the {'fixed' if fixed is None else 'moving'} slide", ()
        )
    prepared = StageRecord("prepare", True, time.perf_counter() - run.began, 0.0, 0.0)
    task = Task((fixed, moving), slides, run.masks, config, run.networks, run.threads)
    end = TILES_FROM if config.tiles else 1.0
    found = attempt(task, start, _part(tell, 0.1, end - AGAIN))
    other = task.again() if start is None else None
    if other and (found is None or run.judge(found.evidence).status != "ok"):
        found = _better(run, found, other, _part(tell, end - AGAIN, end))
    if found is None:
        return run.failed("no placement with enough overlap was found", (prepared,))
    if run.judge(found.evidence).status != "failed":
        found = _closer(task, found, _part(tell, end, 1.0))
    tell("done", 1.0)
    return run.judged(found.evidence, (prepared, *found.stages), found.solution, found.rejected)


def _better(run: _Run, first: Attempt | None, other: Task, tell: Progress) -> Attempt | None:
    """The more trusted of an attempt that does not convince and `other`'s, with a record of the one
    left out.
    """
    second = attempt(other, None, tell)
    if first is None or second is None:
        return first or second
    before, after = (run.judge(found.evidence) for found in (first, second))
    if doubts(after) < doubts(before):
        left_out = _left_out("first search", first, before.reason)
        return replace(second, stages=(left_out, *second.stages))
    return replace(first, stages=(*first.stages, _left_out("second search", second, after.reason)))


def _left_out(name: str, found: Attempt, reason: str) -> StageRecord:
    """One record of all stages of an attempt."""
    first, last = found.stages[0], found.stages[-1]
    seconds = sum(stage.seconds for stage in found.stages)
    return StageRecord(name, False, seconds, 0.0, last.score_after, reason, first.config)


def _part(tell: Progress, low: float, high: float) -> Progress:
    """Progress of a part that leads from `low` to `high` of the whole."""
    return lambda stage, share: tell(stage, low + (high - low) * share)


def _closer(task: Task, found: Attempt, tell: Progress) -> Attempt:
    """After the refinement in tiles, where it is asked for, and kept where it verifiably improves."""
    config, began, (fixed, moving) = task.config.tiles, time.perf_counter(), task.slides
    if config is None:
        return found
    view = CloseUp.of(fixed, moving, config, task.masks)
    before = view.score(found.solution)
    field = view.refined(found.solution, task.threads, partial(tell, "tiles"))
    finer = Chain((field, found.solution))
    after, folded = view.score(finer), folded_share(finer, field.grid.fit(1024))
    accepted = after > before + NO_BETTER and folded == 0
    note = (
        ""
        if accepted
        else (
            f"folds on {folded:.2%} of the slide" if folded else "no better than what came before"
        )
    )
    seconds = time.perf_counter() - began
    return found.then(
        task, finer, StageRecord("tiles", accepted, seconds, before, after, note, asdict(config))
    )
