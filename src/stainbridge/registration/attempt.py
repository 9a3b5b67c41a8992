"""One way through the stages: search, refine, bend; each step is kept only when it verifiably
improves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np

from stainbridge.geometry.transform import Affine, Chain, DisplacementField, Transform
from stainbridge.registration.config import DeformableConfig, RegisterConfig
from stainbridge.registration.parallel import spread
from stainbridge.registration.result import StageRecord
from stainbridge.registration.sections.density import Masks
from stainbridge.registration.sections.section import Section
from stainbridge.registration.stages.affine import ranked, refine
from stainbridge.registration.stages.features import feature_starts
from stainbridge.registration.stages.folds import mended
from stainbridge.registration.stages.learned_stages import Networks, deform_from
from stainbridge.registration.stages.search import Hypothesis, search
from stainbridge.registration.verdict.collect import gather
from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.registration.verdict.judge import doubt
from stainbridge.registration.verdict.verification import (
    Verification,
    folded_share,
    similarity,
    verify,
)
from stainbridge.slides.slide import Slide

#: Told the stage and how much of the whole is done, 0 to 1.
Progress: TypeAlias = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Task:
    """What is registered, and how: two sections of two slides, with the masks that were handed in."""

    sections: tuple[Section, Section]
    slides: tuple[Slide, Slide]
    masks: Masks
    config: RegisterConfig
    networks: Networks
    threads: int

    def again(self) -> Task | None:
        """The same with the second search, and without the affine network's own starts; None where
        there is none.
        """
        other = self.config.search_again
        if other is None:
            return None
        config = replace(self.config, search=other, search_again=None)
        return replace(self, config=config, networks=self.networks.after_a_search())

    def affine(self, found: Hypothesis) -> Affine:
        """A hypothesis between the slides."""
        return Affine(found.matrix, self.slides[0].frame.space, self.slides[1].frame.space)

    def similarity(self, transform: Transform) -> float:
        """The verification score of a transform between the sections."""
        return similarity(*self.sections, transform)


@dataclass(frozen=True, eq=False)
class Attempt:
    """Where the stages ended: the affine and its verification, what was made of it, and what speaks
    for that.

    `rejected` says which later stage was planned and not kept, or is empty.
    """

    affine: Affine
    checked: Verification
    solution: Transform
    evidence: Evidence
    stages: tuple[StageRecord, ...]
    rejected: str = ""

    def then(self, task: Task, solution: Transform, record: StageRecord) -> Attempt:
        """After one more stage, whose result is taken where its record says so."""
        stages = (*self.stages, record)
        if not record.accepted:
            return replace(self, stages=stages)
        seen = gather(*task.sections, self.affine, self.checked, solution)
        evidence = replace(seen, disagreement=self.evidence.disagreement)
        return replace(self, solution=solution, evidence=evidence, stages=stages)


def attempt(task: Task, start: Transform | None, tell: Progress) -> Attempt | None:
    """From a search, or from the affine part of `start`, to a transform; None where there is no
    placement.
    """
    stages: list[StageRecord] = []
    tell("search", 0.0)
    starts, refined = _starts(task, start, stages)
    if not starts:
        return None
    if refined:
        best = task.affine(starts[0])
        checked = verify(*task.sections, best)
    else:
        tell("affine", 0.25)
        best, checked = _refined(task, starts, stages)
    return _bent(task, best, checked, stages, tell)


def _starts(
    task: Task, start: Transform | None, stages: list[StageRecord]
) -> tuple[list[Hypothesis], bool]:
    """Where to refine from, best first, and whether the affine network did that already."""
    network, began = task.networks.affine, time.perf_counter()
    if start is None and network and network.config.angles:
        turned, record = network.turned(*task.sections, task.config, doubt)
        stages.append(record)
        if turned:
            return turned, not network.config.refine
    starts = (
        _searched(task)
        if start is None
        else [Hypothesis(_affine_part(start, task.sections[0]), 0.0)]
    )
    if not starts:
        return [], False
    score = task.similarity(task.affine(starts[0]))
    seconds = time.perf_counter() - began
    stages.append(
        StageRecord("search", True, seconds, 0.0, score, config=asdict(task.config.search))
    )
    if network is None:
        return starts, False
    starts, record = network(*task.sections, starts)
    stages.append(record)
    return starts, record.accepted and not network.config.refine


def _searched(task: Task) -> list[Hypothesis]:
    """The most promising placements over all angles, flips, shifts and scales."""
    config, sections = task.config, task.sections
    flips = (False, True) if config.allow_flip else (False,)
    limit, size = config.max_rotation_deg, config.search.features_px
    seek = (
        partial(
            search,
            *sections,
            config.search,
            flips=flips,
            max_rotation_deg=limit,
            threads=task.threads,
        ),
        partial(
            feature_starts, *sections, allow_flip=config.allow_flip, size_px=size, seed=config.seed
        ),
    )
    found, matched = spread(lambda seek: seek(), seek, task.threads)
    found += [item for item in matched if abs(task.affine(item).rotation_deg) <= limit]
    return ranked(*sections, found, config.search.hypotheses) if found else []


def _refined(
    task: Task, starts: list[Hypothesis], stages: list[StageRecord]
) -> tuple[Affine, Verification]:
    """What the best start climbs to, or where that is no better the start itself, and its
    verification.
    """
    began, config, last = time.perf_counter(), task.config.affine, stages[-1]
    score = last.score_after if last.accepted else last.score_before
    refined = task.affine(refine(*task.sections, starts, config, task.threads)[0])
    checked = verify(*task.sections, refined)
    accepted = checked.score > score
    note = "" if accepted else "no better than the search's own placement"
    seconds = time.perf_counter() - began
    stages.append(
        StageRecord("affine", accepted, seconds, score, checked.score, note, asdict(config))
    )
    if accepted:
        return refined, checked
    best = task.affine(starts[0])
    return best, verify(*task.sections, best)


def _bent(
    task: Task, best: Affine, checked: Verification, stages: list[StageRecord], tell: Progress
) -> Attempt:
    """What the deformable stages make of an affine."""
    score, bending, field = checked.score, task.config.deformable, None
    solution: Transform = best
    if task.networks.field:
        field, record = task.networks.field(task.sections, task.slides, best, score, task.masks)
        stages.append(record)
        if field is not None:
            solution, score, bending = (
                Chain((field, best)),
                record.score_after,
                task.networks.field.config.optimise,
            )
    rejected, disagreement_um = "", float("nan")
    if bending:
        tell("deformable", 0.5)
        bent, record, disagreement_um = _deformed(task, best, field, bending, score, tell)
        stages.append(record)
        if record.accepted:
            solution = bent
        else:
            rejected = f"deformable stage rejected: {record.note}"
    evidence = gather(*task.sections, best, checked, solution, disagreement_um)
    return Attempt(best, checked, solution, evidence, tuple(stages), rejected)


def _deformed(
    task: Task,
    best: Affine,
    field: DisplacementField | None,
    config: DeformableConfig,
    score: float,
    tell: Progress,
) -> tuple[Transform, StageRecord, float]:
    """`best` bent from `field` on, the record of that, and how far the two directions disagree in
    µm.
    """
    began = time.perf_counter()
    fixed, moving = task.sections
    found = deform_from(
        fixed,
        moving,
        best,
        field,
        config,
        lambda share: tell("deformable", 0.5 + share / 2),
        task.threads,
    )
    seen_on = fixed.frame.fit(512)
    whole = mended(found.field, seen_on)
    bent = Chain((whole, best))
    after, folded = task.similarity(bent), folded_share(bent, seen_on)
    accepted = after > score and folded == 0
    note = (
        ""
        if accepted
        else (
            f"folds on {folded:.2%} of the slide" if folded else "no better than what came before"
        )
    )
    record = StageRecord(
        "deformable", accepted, time.perf_counter() - began, score, after, note, asdict(config)
    )
    return bent, record, found.disagreement_um


def _affine_part(start: Transform, fixed: Section) -> np.ndarray:
    """The affine that fits a transform best over the fixed section."""
    points = fixed.frame.fit(32).centres_um()
    inside = np.c_[points, np.ones(len(points))]
    rows = np.linalg.lstsq(inside, start(points), rcond=None)[0].T
    return np.vstack([rows, [0, 0, 1]])
