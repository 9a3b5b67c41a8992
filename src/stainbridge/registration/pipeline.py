"""The pipeline: prepare, run the stages, try a second search where the first does not convince."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import torch

from stainbridge.compute import ComputeContext, parallel_map, torch_threads
from stainbridge.geometry.transform import Affine, Transform
from stainbridge.imaging.image import Image
from stainbridge.progress import Progress, ignore_progress
from stainbridge.registration.config import RegisterConfig
from stainbridge.registration.result import Registration
from stainbridge.registration.sections.density import Masks
from stainbridge.registration.sections.section import Section, read_section
from stainbridge.registration.stages.record import StageRecord
from stainbridge.registration.stages.search import SearchStage
from stainbridge.registration.stages.stage import Problem, Stage, State, run_stage
from stainbridge.registration.stages.table import STAGES
from stainbridge.registration.verdict.collect import collect_evidence
from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.registration.verdict.judge import Judge, Verdict, load_calibration, rank_verdict
from stainbridge.registration.verdict.verification import verify
from stainbridge.slides.mapped import MappedSlide
from stainbridge.slides.slide import Slide

#: Returns a picture of the same tissue in another stain.
ImageTranslation: TypeAlias = Callable[[Image], Image]

#: Fraction of the progress at which the refinement in tiles begins.
REFINEMENT_FROM = 0.7
#: Fraction of the progress that is set aside for a second search, which few pairs need.
SECOND_SEARCH_SHARE = 0.1
#: Fraction of the progress after both sections are prepared.
PREPARED = 0.1


def register_slides(
    fixed: Slide,
    moving: Slide,
    config: RegisterConfig,
    *,
    initial_transform: Transform | None = None,
    fixed_mask: Image | None = None,
    moving_mask: Image | None = None,
    fixed_translation: ImageTranslation | None = None,
    moving_translation: ImageTranslation | None = None,
    progress: Progress | None = None,
    judge: Judge | None = None,
    stages: Sequence[Stage] | None = None,
) -> Registration:
    """Register two slides: find where each point of the fixed one lies on the moving one.

    A failure is returned with its reason, never raised and never an identity.

    Args:
        fixed: The slide that stays where it is.
        moving: The slide that is brought onto the fixed one.
        config: Stages, limits, device, threads and seed.
        initial_transform: Moving from fixed; its affine part is refined, and nothing searched.
        fixed_mask: (1, h, w), not 0 where tissue of the fixed slide may be used.
        moving_mask: The same of the moving slide.
        fixed_translation: Applied to every read of the fixed slide, so that sections, tiles and
            evidence alike see its result.
        moving_translation: The same of the moving slide.
        progress: Called with a stage's name and the fraction done.
        judge: Turns evidence into a verdict; None: the calibrated one.
        stages: Ready-made stages in place of those that `config` lists.

    Raises:
        InputError: A device or weights that are not there, a slide that cannot be read.

    """
    began = time.perf_counter()
    context = ComputeContext.choose(config.device, config.threads, config.seed)
    if stages is None:
        stages = [_make_stage(stage, context) for stage in config.stages]
    run = _Run(
        slides=(
            _translate_reads(fixed, fixed_translation),
            _translate_reads(moving, moving_translation),
        ),
        masks=(fixed_mask, moving_mask),
        config=config,
        context=context,
        stages=tuple(stages),
        judge=judge or load_calibration(),
        began=began,
    )
    # A device context costs a Python call per operation; without one tensors are made on the CPU.
    device = torch.device(context.device) if context.device != "cpu" else nullcontext()
    with torch_threads.one(), device:
        return _register(run, initial_transform, progress or ignore_progress)


def _make_stage(config: Any, context: ComputeContext) -> Stage:
    """Return the stage of the table that has these settings."""
    return STAGES[config.kind].make(config, context)


def _translate_reads(slide: Slide, translation: ImageTranslation | None) -> Slide:
    return slide if translation is None else MappedSlide(slide, translation)


@dataclass(frozen=True, eq=False)
class _Run:
    """One registration's inputs."""

    slides: tuple[Slide, Slide]
    masks: Masks
    config: RegisterConfig
    context: ComputeContext
    stages: tuple[Stage, ...]
    judge: Judge
    began: float

    def fail(self, reason: str, records: tuple[StageRecord, ...]) -> Registration:
        """Return a failed registration without evidence."""
        verdict = Verdict("failed", reason, float("nan"), float("nan"))
        return self._make_registration(verdict, records, None, None)

    def conclude(self, attempt: _Attempt, first: StageRecord) -> Registration:
        """Return the registration that an attempt ended in."""
        verdict = self.judge(attempt.evidence)
        doubt = attempt.state.doubt
        if doubt and verdict.status != "failed":
            verdict = replace(verdict, status="fallback", reason=f"{doubt}; {verdict.reason}")
        solution = None if verdict.status == "failed" else attempt.state.solution
        records = (first, *attempt.records)
        return self._make_registration(verdict, records, solution, attempt.evidence)

    def _make_registration(
        self,
        verdict: Verdict,
        records: tuple[StageRecord, ...],
        solution: Transform | None,
        evidence: Evidence | None,
    ) -> Registration:
        fixed, moving = self.slides
        return Registration(
            fixed=fixed.frame,
            moving=moving.frame,
            status=verdict.status,
            reason=verdict.reason,
            stages=records,
            seconds=time.perf_counter() - self.began,
            predicted_rtre=verdict.predicted_rtre,
            bound_rtre=verdict.bound_rtre,
            evidence=evidence,
            seed=self.config.seed,
            config=self.config.to_dict(),
            solution=solution,
        )


@dataclass(frozen=True, eq=False)
class _Attempt:
    """Where a sequence of stages ended, and the evidence for it."""

    state: State
    evidence: Evidence
    records: tuple[StageRecord, ...]

    @classmethod
    def of(cls, state: State) -> _Attempt:
        """Collect the evidence for a state."""
        return cls(state, _collect_evidence(state), state.records)


def _register(run: _Run, initial_transform: Transform | None, progress: Progress) -> Registration:
    progress("prepare", 0.0)
    fixed, moving = _prepare(run)
    if fixed is None or moving is None:
        side = "fixed" if fixed is None else "moving"
        return run.fail(f"no tissue found on the {side} slide", ())
    prepared = StageRecord("prepare", True, time.perf_counter() - run.began, 0.0, 0.0)
    problem = Problem(
        sections=(fixed, moving),
        slides=run.slides,
        masks=run.masks,
        context=run.context,
        allow_flip=run.config.allow_flip,
        max_rotation_deg=run.config.max_rotation_deg,
        initial_transform=initial_transform,
    )
    main = [stage for stage in run.stages if stage.phase != "refinement"]
    refinements = [stage for stage in run.stages if stage.phase == "refinement"]
    end = REFINEMENT_FROM if refinements else 1.0
    first_end = end - SECOND_SEARCH_SHARE
    attempt = _try_stages(problem, main, _span(progress, PREPARED, first_end))
    searched = any(stage.kind == SearchStage.kind for stage in main) and initial_transform is None
    second = run.config.second_search if searched else None
    if second and (attempt is None or run.judge(attempt.evidence).status != "ok"):
        again = _begin_with_search(main, SearchStage(second))
        other = _try_stages(problem, again, _span(progress, first_end, end))
        attempt = _choose_attempt(run, attempt, other)
    if attempt is None:
        return run.fail("no placement with enough overlap was found", (prepared,))
    if run.judge(attempt.evidence).status != "failed":
        for stage in refinements:
            attempt = _refine(attempt, stage, _span(progress, end, 1.0))
    progress("done", 1.0)
    return run.conclude(attempt, prepared)


def _prepare(run: _Run) -> list[Section | None]:
    """Read both slides at working resolution."""
    working_px = run.config.working_px
    sides = tuple(zip(run.slides, run.masks, strict=True))
    return parallel_map(
        lambda side: read_section(side[0], working_px, side[1]), sides, run.context.threads
    )


def _try_stages(problem: Problem, stages: Sequence[Stage], progress: Progress) -> _Attempt | None:
    """Run stages one after the other; None where no placement is found."""
    state = State(problem)
    total = sum(stage.cost for stage in stages)
    done = 0.0
    for planned in stages:
        stage = _override(planned, state)
        if planned.phase != "placement" and not state.candidates:
            return None
        if stage is not None:
            part = _span(progress, done / total, (done + planned.cost) / total)
            part(stage.name, 0.0)
            state = run_stage(stage, state, partial(part, stage.name))
            if stage.last_resort and not state.candidates:
                return None
        done += planned.cost
    return _Attempt.of(state) if state.candidates else None


def _override(stage: Stage, state: State) -> Stage | None:
    """Return a stage as an earlier, accepted one asks for it; None where it is to be left out."""
    if stage.kind not in state.overrides:
        return stage
    config = state.overrides[stage.kind]
    return None if config is None else _make_stage(config, state.problem.context)


def _begin_with_search(stages: Sequence[Stage], search: SearchStage) -> list[Stage]:
    """Return the stages from the search on, with another search in its place."""
    kinds = [stage.kind for stage in stages]
    first = kinds.index(search.kind)
    return [search, *stages[first + 1 :]]


def _choose_attempt(run: _Run, first: _Attempt | None, second: _Attempt | None) -> _Attempt | None:
    """Return the more trusted of two attempts, with one record for the one left out."""
    if first is None or second is None:
        return first or second
    first_verdict = run.judge(first.evidence)
    second_verdict = run.judge(second.evidence)
    if rank_verdict(second_verdict) < rank_verdict(first_verdict):
        left_out = _summarise("first search", first, first_verdict.reason)
        return replace(second, records=(left_out, *second.records))
    left_out = _summarise("second search", second, second_verdict.reason)
    return replace(first, records=(*first.records, left_out))


def _summarise(name: str, attempt: _Attempt, reason: str) -> StageRecord:
    """Return one record of all stages of an attempt."""
    seconds = sum(record.seconds for record in attempt.records)
    score = attempt.records[-1].score_after
    return StageRecord(name, False, seconds, 0.0, score, reason, attempt.records[0].config)


def _span(progress: Progress, low: float, high: float) -> Progress:
    """Return the progress of a part that leads from `low` to `high` of the whole."""
    return lambda stage, fraction: progress(stage, low + (high - low) * fraction)


def _refine(attempt: _Attempt, stage: Stage, progress: Progress) -> _Attempt:
    """Run a refinement stage after an attempt that has not failed."""
    before = attempt.state
    after = run_stage(stage, before, partial(progress, stage.name))
    records = (*attempt.records, *after.records[len(before.records) :])
    if after.solution is before.solution:
        return replace(attempt, state=after, records=records)
    return _Attempt(after, _collect_evidence(after), records)


def _collect_evidence(state: State) -> Evidence:
    """Collect the evidence for and against a state's solution."""
    assert state.solution is not None
    sections = state.problem.sections
    placement = state.placement
    # Handed over as one object, a bare placement is measured once.
    solution = placement if isinstance(state.solution, Affine) else state.solution
    verification = verify(*sections, placement, state.placement_score)
    return collect_evidence(*sections, placement, verification, solution, state.disagreement_um)
