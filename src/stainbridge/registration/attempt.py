"""One attempt at registering two sections: stages one after the other, and a second search.

It is the same for whole slides and for single pieces of tissue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from stainbridge.compute import ComputeContext, parallel_map
from stainbridge.geometry.fit import fit_affine
from stainbridge.geometry.transform import Affine, Transform
from stainbridge.progress import Progress
from stainbridge.registration.sections.section import Section
from stainbridge.registration.stages.record import StageRecord
from stainbridge.registration.stages.search import SearchConfig, SearchStage
from stainbridge.registration.stages.stage import Problem, Stage, State, run_stage
from stainbridge.registration.stages.table import STAGES
from stainbridge.registration.verdict.collect import collect_evidence
from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.registration.verdict.judge import (
    Judge,
    Verdict,
    limit_to_pixels,
    rank_verdict,
)
from stainbridge.registration.verdict.misfit import Misfit
from stainbridge.registration.verdict.misfit_regions import measure_misfit
from stainbridge.registration.verdict.rival import measure_rival
from stainbridge.registration.verdict.verification import shrink_region, verify

#: Fraction of an attempt's progress that is set aside for a second search, which few pairs need.
SECOND_SEARCH_SHARE = 0.15
#: A deformation corrects its placement where the affine map that fits it best moves the tissue by
#: more than this, in diagonals of the tissue.
CORRECTION_SHARE = 0.01
#: Longest side in pixels of the frame whose points over the tissue that map is fitted to.
FIT_PX = 64


@dataclass(frozen=True, eq=False)
class Attempt:
    """Where a sequence of stages ended, and the evidence for it."""

    state: State
    evidence: Evidence
    misfit: Misfit
    records: tuple[StageRecord, ...]

    @classmethod
    def of(cls, state: State) -> Attempt:
        """Collect the evidence for a state."""
        assert state.solution is not None
        sections = state.problem.sections
        # Handed over as one object, a bare placement is measured once.
        is_deformed = not isinstance(state.solution, Affine)
        solution = state.solution if is_deformed else state.placement
        placement = find_placement(sections[0], state.placement, solution)
        score = state.placement_score if placement is state.placement else None

        def collect() -> Evidence:
            verification = verify(*sections, placement, score)
            return collect_evidence(
                *sections, placement, verification, solution, state.disagreement_um
            )

        measures: tuple[Callable[[], Any], ...] = (
            collect,
            lambda: measure_misfit(*sections, placement, solution),
            lambda: max(section.seam for section in sections),
            lambda: measure_rival(*sections, placement),
        )
        threads = state.problem.context.threads
        evidence, misfit, seam, rival = parallel_map(lambda measure: measure(), measures, threads)
        evidence = replace(evidence, misfit=misfit.share, rival=rival, seam=seam)
        return cls(state, evidence, misfit, state.records)

    def judge(self, judge: Judge) -> Verdict:
        """Return what a judge says, as far as pixels show it; a doubt makes it `fallback`."""
        fixed, moving = self.state.problem.sections
        moving_pixel_um = max(moving.frame.space.mpp) / self.state.placement.scale
        pixel_um = max(*fixed.frame.space.mpp, moving_pixel_um)
        verdict = limit_to_pixels(judge(self.evidence), pixel_um / fixed.tissue_um)
        doubt = self.state.doubt
        if verdict.status == "failed":
            return verdict
        if self.state.remark:
            verdict = replace(verdict, reason=f"{verdict.reason}; {self.state.remark}")
        if not doubt:
            return verdict
        return replace(verdict, status="fallback", reason=f"{doubt}; {verdict.reason}")


def find_placement(fixed: Section, placement: Affine, solution: Transform) -> Affine:
    """Return the affine map that the evidence before the deformation is of.

    It is the placement. Where a deformation has moved all of the tissue from there, it is the map
    that fits the solution best: a poor placement says nothing of what became of it.
    """
    if solution is placement:
        return placement
    frame = fixed.frame.fit(FIT_PX)
    points = frame.centres_um()[shrink_region(fixed, frame).ravel()]
    is_thin = len(points) == 0 or np.linalg.matrix_rank(points - points[0]) < 2
    if is_thin:  # no map can be fitted to it
        return placement
    fitted = fit_affine(points, solution(points), placement.source, placement.target)
    moved_um = np.hypot(*(placement.inverse()(fitted(points)) - points).T)
    is_corrected = np.sqrt(np.square(moved_um).mean()) > CORRECTION_SHARE * fixed.tissue_um
    return fitted if is_corrected else placement


def make_stage(config: Any, context: ComputeContext) -> Stage:
    """Return the stage of the table that has these settings."""
    return STAGES[config.kind].make(config, context)


def attempt_registration(
    problem: Problem,
    stages: Sequence[Stage],
    second_search: SearchConfig | None,
    judge: Judge,
    progress: Progress,
) -> Attempt | None:
    """Run stages; where the verdict is not `ok`, again from a finer search. None: no placement.

    The more trusted of the two results stands.
    """
    first_end = 1 - SECOND_SEARCH_SHARE
    attempt = _try_stages(problem, stages, span_progress(progress, 0.0, first_end))
    if attempt is not None and judge(attempt.evidence).status == "ok":
        return attempt
    searched = any(stage.kind == SearchStage.kind for stage in stages)
    if second_search is None or not searched or problem.initial_transform is not None:
        return attempt
    again = _begin_with_search(stages, SearchStage(second_search))
    other = _try_stages(problem, again, span_progress(progress, first_end, 1.0))
    return _choose_attempt(judge, attempt, other)


def _try_stages(problem: Problem, stages: Sequence[Stage], progress: Progress) -> Attempt | None:
    """Run stages one after the other; None where no placement is found."""
    state = State(problem)
    total = sum(stage.cost for stage in stages)
    done = 0.0
    for planned in stages:
        stage = _override(planned, state)
        if planned.phase != "placement" and not state.candidates:
            return None
        if stage is not None:
            part = span_progress(progress, done / total, (done + planned.cost) / total)
            part(stage.name, 0.0)
            state = run_stage(stage, state, partial(part, stage.name))
            if stage.last_resort and not state.candidates:
                return None
        done += planned.cost
    return Attempt.of(state) if state.candidates else None


def _override(stage: Stage, state: State) -> Stage | None:
    """Return a stage as an earlier, accepted one asks for it; None where it is to be left out."""
    if stage.kind not in state.overrides:
        return stage
    config = state.overrides[stage.kind]
    return None if config is None else make_stage(config, state.problem.context)


def _begin_with_search(stages: Sequence[Stage], search: SearchStage) -> list[Stage]:
    """Return the stages from the search on, with another search in its place."""
    kinds = [stage.kind for stage in stages]
    first = kinds.index(search.kind)
    return [search, *stages[first + 1 :]]


def _choose_attempt(judge: Judge, first: Attempt | None, second: Attempt | None) -> Attempt | None:
    """Return the more trusted of two attempts, with one record for the one left out."""
    if first is None or second is None:
        return first or second
    first_verdict = judge(first.evidence)
    second_verdict = judge(second.evidence)
    if rank_verdict(second_verdict) < rank_verdict(first_verdict):
        left_out = summarise_attempt("first search", first, first_verdict.reason)
        return replace(second, records=(left_out, *second.records))
    left_out = summarise_attempt("second search", second, second_verdict.reason)
    return replace(first, records=(*first.records, left_out))


def summarise_attempt(name: str, attempt: Attempt, reason: str) -> StageRecord:
    """Return one record of all stages of an attempt."""
    seconds = sum(record.seconds for record in attempt.records)
    score = attempt.records[-1].score_after
    return StageRecord(name, False, seconds, 0.0, score, reason, attempt.records[0].config)


def span_progress(progress: Progress, low: float, high: float) -> Progress:
    """Return the progress of a part that leads from `low` to `high` of the whole."""
    return lambda stage, fraction: progress(stage, low + (high - low) * fraction)


def refine_attempt(attempt: Attempt, stage: Stage, progress: Progress) -> Attempt:
    """Run a refinement stage after an attempt that has not failed."""
    before = attempt.state
    after = run_stage(stage, before, partial(progress, stage.name))
    records = (*attempt.records, *after.records[len(before.records) :])
    if after.solution is before.solution:
        return replace(attempt, state=after, records=records)
    return replace(Attempt.of(after), records=records)
