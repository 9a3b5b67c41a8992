"""The pipeline: prepare, run the stages, look a second time where the first does not convince."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch

from stainbridge.compute import ComputeContext, parallel_map, torch_threads
from stainbridge.errors import InputError
from stainbridge.geometry.transform import Transform
from stainbridge.imaging.image import Image
from stainbridge.progress import Progress, ignore_progress
from stainbridge.registration.attempt import (
    Attempt,
    attempt_registration,
    make_stage,
    refine_attempt,
    span_progress,
    summarise_attempt,
)
from stainbridge.registration.config import RegisterConfig
from stainbridge.registration.pieces.combine import (
    doubt_pieces,
    join_misfits,
    join_transforms,
    judge_pieces,
    record_pieces,
    record_stages,
)
from stainbridge.registration.pieces.flow import (
    PiecewiseResult,
    assess_whole,
    choose_result,
    find_pieces,
    holds_everywhere,
    read_pieces,
    register_each,
)
from stainbridge.registration.pieces.matching import MATCHING_PX
from stainbridge.registration.result import Registration
from stainbridge.registration.second_look import (
    Sections,
    choose_look,
    confirm_seams,
    sees_more,
)
from stainbridge.registration.sections.density import Masks
from stainbridge.registration.sections.local import read_local_section
from stainbridge.registration.sections.section import Section, read_section
from stainbridge.registration.stages.record import StageRecord
from stainbridge.registration.stages.stage import Problem, Stage
from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.registration.verdict.judge import (
    TOLERABLE_ERROR,
    Judge,
    Verdict,
    demand_windows,
    load_calibration,
)
from stainbridge.slides.mapped import MappedSlide
from stainbridge.slides.slide import Slide

#: Returns a picture of the same tissue in another stain.
ImageTranslation: TypeAlias = Callable[[Image], Image]

#: Reads a slide's tissue, with its longer side in so many pixels, where a mask allows it.
ReadSection: TypeAlias = Callable[[Slide, int, Image | None], Section | None]

#: Fraction of the progress that is set aside for a second look, which few pairs need.
SECOND_LOOK_SHARE = 0.1
#: Fraction of the progress at which the refinement in tiles begins.
REFINEMENT_FROM = 0.7
#: Why the whole slide's registration was left out.
PIECES_FIT = "pieces fit better one by one"
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
        InputError: A device or weights that are not there, a slide that cannot be read, a rigid
            transform where the pixel size of one slide alone is known.

    """
    if config.is_rigid:
        _check_pixel_sizes(fixed, moving)
    began = time.perf_counter()
    context = ComputeContext.choose(config.device, config.threads, config.seed)
    if stages is None:
        stages = [make_stage(stage, context) for stage in config.stages]
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


def _check_pixel_sizes(fixed: Slide, moving: Slide) -> None:
    """Raise `InputError` where the ratio of the pixel sizes is unknown."""
    if fixed.frame.calibrated != moving.frame.calibrated:
        unknown = moving if fixed.frame.calibrated else fixed
        raise InputError(
            "a rigid transform needs the pixel size of both slides",
            where=unknown.info.path,
            expected="µm per pixel",
            got="none",
            remedy="give it, or ask for an affine transform",
        )


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
        return self._make_registration(verdict, records, None, None, None)

    def conclude(
        self, attempt: Attempt, first: StageRecord, pieces: PiecewiseResult | None
    ) -> Registration:
        """Return the registration that an attempt at the whole slides ended in.

        `pieces` says how it holds for each piece, where there are several.
        """
        fixed, _ = attempt.state.problem.sections
        verdict = attempt.judge(self.judge)
        if pieces is not None and verdict.status != "failed":
            verdict = doubt_pieces(verdict, pieces)
        solution = None if verdict.status == "failed" else attempt.state.solution
        records = (first, *attempt.records)
        registration = self._make_registration(verdict, records, solution, attempt.evidence, fixed)
        registration = replace(registration, misfit=attempt.misfit)
        if pieces is None or solution is None:
            return registration
        return replace(registration, pieces=record_pieces(pieces))

    def conclude_pieces(
        self,
        result: PiecewiseResult,
        attempt: Attempt | None,
        first: StageRecord,
        fixed: Section,
    ) -> Registration:
        """Return the registration of pieces that were registered one by one."""
        verdict = judge_pieces(result, fixed.tissue_um)
        whole = () if attempt is None else (summarise_attempt("whole slide", attempt, PIECES_FIT),)
        records = (first, *whole, *record_stages(result))
        solution = None if verdict.status == "failed" else join_transforms(result)
        evidence = None if attempt is None else attempt.evidence
        registration = self._make_registration(verdict, records, solution, evidence, fixed)
        return replace(registration, pieces=record_pieces(result), misfit=join_misfits(result))

    def attempt(self, problem: Problem, progress: Progress) -> Attempt | None:
        """Register one problem, without refinement."""
        main = [stage for stage in self.stages if stage.phase != "refinement"]
        return attempt_registration(problem, main, self.config.second_search, self.judge, progress)

    def refine(self, attempt: Attempt, progress: Progress) -> Attempt:
        """Run the refinement after an attempt that has not failed."""
        if self.judge(attempt.evidence).status == "failed":
            return attempt
        for stage in self.refinements:
            attempt = refine_attempt(attempt, stage, progress)
        return attempt

    def register_piece(self, problem: Problem, progress: Progress) -> Attempt | None:
        """Register one pair of pieces, refinement and all."""
        attempt = self.attempt(problem, progress)
        return None if attempt is None else self.refine(attempt, progress)

    @property
    def refinements(self) -> list[Stage]:
        """The stages that come after a judged result."""
        return [stage for stage in self.stages if stage.phase == "refinement"]

    def _make_registration(
        self,
        verdict: Verdict,
        records: tuple[StageRecord, ...],
        solution: Transform | None,
        evidence: Evidence | None,
        section: Section | None,
    ) -> Registration:
        fixed, moving = self.slides
        tissue_um = float("nan") if section is None else section.tissue_um
        tissue_share = tissue_um / fixed.frame.diagonal_um
        return Registration(
            fixed=fixed.frame,
            moving=moving.frame,
            status=verdict.status,
            reason=verdict.reason,
            stages=records,
            seconds=time.perf_counter() - self.began,
            predicted_rtre=verdict.predicted * tissue_share,
            bound_rtre=verdict.bound * tissue_share,
            tissue_um=tissue_um,
            evidence=evidence,
            seed=self.config.seed,
            config=self.config.to_dict(),
            solution=solution,
        )


@dataclass(frozen=True, eq=False)
class _Look:
    """Both slides as they were seen."""

    sections: Sections
    """The fixed and the moving section."""
    seconds: float
    """How long it took to see them."""


def _register(run: _Run, initial_transform: Transform | None, progress: Progress) -> Registration:
    """Register by tissue density and, where that does not convince, by local contrast too."""
    looks_twice = run.config.local_contrast
    first_end = 1 - SECOND_LOOK_SHARE if looks_twice else 1.0
    first_progress, second_progress = (
        span_progress(progress, low, high) for low, high in ((0.0, first_end), (first_end, 1.0))
    )
    progress("prepare", 0.0)
    look = _look(run, read_section)
    result = _register_look(run, look, initial_transform, first_progress)
    if looks_twice and result.status != "ok" and all(look.sections):
        result = _look_again(run, look, result, initial_transform, second_progress)
    progress("done", 1.0)
    return result


def _look_again(
    run: _Run,
    look: _Look,
    first: Registration,
    initial_transform: Transform | None,
    progress: Progress,
) -> Registration:
    """Return a doubtful registration, or one by local contrast where that one is `ok`.

    It is tried where the error may be large, and where the first look overlooked tissue.
    """
    first_seconds = time.perf_counter() - run.began
    local = _look(run, read_local_section)
    is_certain = first.bound_tissue_rtre <= TOLERABLE_ERROR
    if is_certain and not any(map(sees_more, local.sections, look.sections)):
        return first
    local = replace(local, sections=confirm_seams(local.sections, look.sections))
    strict = replace(run, judge=demand_windows(run.judge))
    second = _register_look(strict, local, initial_transform, progress)
    second_seconds = time.perf_counter() - run.began - first_seconds
    return choose_look(first, second, first_seconds, second_seconds)


def _register_look(
    run: _Run, look: _Look, initial_transform: Transform | None, progress: Progress
) -> Registration:
    """Register two slides as they were seen, or say which of them has no tissue."""
    fixed, moving = look.sections
    if fixed is None or moving is None:
        side = "fixed" if fixed is None else "moving"
        return run.fail(f"no tissue found on the {side} slide", ())
    note = _describe_unreadable(fixed, moving)
    prepared = StageRecord("prepare", True, look.seconds, 0.0, 0.0, note)
    problem = Problem(
        sections=(fixed, moving),
        slides=run.slides,
        masks=run.masks,
        context=run.context,
        allow_flip=run.config.allow_flip,
        max_rotation_deg=run.config.max_rotation_deg,
        initial_transform=initial_transform,
        is_rigid=run.config.is_rigid,
    )
    end = REFINEMENT_FROM if run.refinements else 1.0
    attempt = run.attempt(problem, span_progress(progress, PREPARED, end))
    pieces = _register_pieces(run, problem, attempt, span_progress(progress, PREPARED, 1.0))
    if pieces is not None and not pieces.is_whole:
        return run.conclude_pieces(pieces, attempt, prepared, fixed)
    if attempt is None:
        return run.fail("no placement with enough overlap was found", (prepared,))
    attempt = run.refine(attempt, span_progress(progress, end, 1.0))
    return run.conclude(attempt, prepared, pieces)


def _register_pieces(
    run: _Run, problem: Problem, attempt: Attempt | None, progress: Progress
) -> PiecewiseResult | None:
    """Return how the pieces lie; None where each slide has one, or where a start was handed in.

    It is of the whole slides' transform where that holds for each piece, or is as good.
    """
    if problem.initial_transform is not None or not run.config.pieces:
        return None
    regions = find_pieces(problem)
    if max(map(len, regions)) == 1:
        return None
    pieces = read_pieces(problem, regions, MATCHING_PX)
    if not all(pieces):
        return None
    whole = None
    if attempt is not None and attempt.judge(run.judge).status != "failed":
        whole = assess_whole(pieces, attempt, run.judge)
        if holds_everywhere(whole):
            return whole
    each = register_each(
        problem, pieces, whole, run.config.working_px, run.register_piece, run.judge, progress
    )
    if each.support == 0:
        return whole
    return each if whole is None else choose_result(whole, each)


def _describe_unreadable(fixed: Section, moving: Section) -> str:
    """Say how much of each slide could not be used; empty where all could."""
    shares = {"fixed": fixed.unreadable, "moving": moving.unreadable}
    return "; ".join(
        f"{share:.1g} of the {side} slide is NaN or infinite and left out"
        for side, share in shares.items()
        if share
    )


def _look(run: _Run, read: ReadSection) -> _Look:
    """Read both slides at working resolution."""
    began = time.perf_counter()
    working_px = run.config.working_px
    sides = tuple(zip(run.slides, run.masks, strict=True))
    fixed, moving = parallel_map(
        lambda side: read(side[0], working_px, side[1]), sides, run.context.threads
    )
    return _Look((fixed, moving), time.perf_counter() - began)
