"""The pipeline: prepare, search, refine, deform; each step accepted only when it verifiably improves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
import torch

from stainbridge.errors import InputError
from stainbridge.geometry.transform import Affine, Chain, Transform
from stainbridge.imaging.image import Image
from stainbridge.register.affine import ranked, refine
from stainbridge.register.config import RegisterConfig
from stainbridge.register.evidence import Evidence
from stainbridge.register.features import feature_starts
from stainbridge.register.folds import mended
from stainbridge.register.gather import gather
from stainbridge.register.learned_stages import Networks, deform_from
from stainbridge.register.parallel import spread
from stainbridge.register.prepare import Section, forget_shrunk, section_of
from stainbridge.register.result import Registration, StageRecord
from stainbridge.register.search import Hypothesis, search
from stainbridge.register.slide_density import Masks
from stainbridge.register.tiles import CloseUp
from stainbridge.register.verdict import Judge, Verdict, calibrated, doubt
from stainbridge.register.verify import Verification, folded_share, similarity, verify
from stainbridge.slides.slide import Slide

Progress = Callable[[str, float], None]

#: A share of edges that rises by less has not risen.
NO_BETTER = 1e-3


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
        return self._outcome(Verdict("failed", reason, float("nan"), float("nan")), stages, None, None)

    def judged(
        self, evidence: Evidence, stages: tuple[StageRecord, ...], solution: Transform, note: str = ""
    ) -> Registration:
        """What the evidence says of a solution; `note` says what was planned and rejected."""
        found = self.judge(evidence)
        if note and found.status != "failed":
            found = replace(found, status="fallback", reason=f"{note}; {found.reason}")
        return self._outcome(found, stages, None if found.status == "failed" else solution, evidence)

    def _outcome(
        self, found: Verdict, stages: tuple[StageRecord, ...], solution: Transform | None, evidence: Evidence | None
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
    """Find `moving_from_fixed`. A failure is returned with its reason, never raised and never an identity.

    `start` replaces the global search (its affine part is refined). Masks are (1, h, w), not 0 where tissue may
    be used. `judge` says what the result is worth; the calibrated one unless another is given.
    """
    device = device_of(config)
    threads = (config.threads or torch.get_num_threads()) if device == "cpu" else 1
    networks, masks = Networks.of(config, device), (fixed_mask, moving_mask)
    run = _Run(fixed, moving, config, time.perf_counter(), threads, networks, judge or calibrated(), masks)
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
            "no CUDA device can be used", expected="a GPU and a CUDA build of torch", remedy="use auto or cpu"
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
    sides = tuple(zip((run.fixed, run.moving), run.masks, strict=True))
    fixed, moving = spread(lambda side: section_of(side[0], run.config.working_px, side[1]), sides, run.threads)
    if fixed is None or moving is None:
        return run.failed(f"no tissue found on the {'fixed' if fixed is None else 'moving'} slide", ())
    stages = [StageRecord("prepare", True, time.perf_counter() - run.began, 0.0, 0.0)]
    return _pipeline(run, fixed, moving, start, stages, tell)


def _pipeline(
    run: _Run, fixed: Section, moving: Section, start: Transform | None, stages: list[StageRecord], tell: Progress
) -> Registration:
    config, networks = run.config, run.networks
    tell("search", 0.1)
    turned: list[Hypothesis] = []
    if start is None and networks.affine and networks.affine.config.angles:
        turned, record = networks.affine.turned(fixed, moving, config, doubt)
        stages.append(record)
    began = time.perf_counter()
    if turned:
        starts = turned
    elif start is None:
        flips = (False, True) if config.allow_flip else (False,)
        limit = config.max_rotation_deg
        size, seed = config.search.features_px, config.seed
        seek = (
            partial(search, fixed, moving, config.search, flips=flips, max_rotation_deg=limit, threads=run.threads),
            partial(feature_starts, fixed, moving, allow_flip=config.allow_flip, size_px=size, seed=seed),
        )
        found, matched = spread(lambda seek: seek(), seek, run.threads)
        found += [item for item in matched if abs(_affine(run, item).rotation_deg) <= limit]
        starts = ranked(fixed, moving, found, config.search.hypotheses) if found else []
    else:
        starts = [Hypothesis(_affine_part(start, fixed), 0.0)]
    if not starts:
        return run.failed("no placement with enough overlap was found", tuple(stages))
    best = _affine(run, starts[0])
    score = similarity(fixed, moving, best)
    if not turned:
        seconds = time.perf_counter() - began
        stages.append(StageRecord("search", True, seconds, 0.0, score, config=asdict(config.search)))
    if networks.affine and not turned:
        starts, record = networks.affine(fixed, moving, starts)
        stages.append(record)
        best, score = _affine(run, starts[0]), max(score, record.score_after)
    if networks.affine and stages[-1].accepted and not networks.affine.config.refine:
        return _bend(run, fixed, moving, best, verify(fixed, moving, best), stages, tell)

    tell("affine", 0.3)
    began = time.perf_counter()
    refined = _affine(run, refine(fixed, moving, starts, config.affine, run.threads)[0])
    checked = verify(fixed, moving, refined)
    accepted = checked.score > score
    stages.append(
        StageRecord(
            "affine",
            accepted,
            time.perf_counter() - began,
            score,
            checked.score,
            "" if accepted else "no better than the search's own placement",
            asdict(config.affine),
        )
    )
    if accepted:
        best, score = refined, checked.score
    else:
        checked = verify(fixed, moving, best)
    return _bend(run, fixed, moving, best, checked, stages, tell)


def _bend(
    run: _Run,
    fixed: Section,
    moving: Section,
    best: Affine,
    checked: Verification,
    stages: list[StageRecord],
    tell: Progress,
) -> Registration:
    config, score = run.config, checked.score
    earlier: Transform = best
    bending, field = config.deformable, None
    if run.networks.field:
        field, record = run.networks.field((fixed, moving), (run.fixed, run.moving), best, score, run.masks)
        stages.append(record)
        if field is not None:
            earlier, score, bending = Chain((field, best)), record.score_after, run.networks.field.config.optimise
    if bending is None:
        earlier = _close_up(run, earlier, stages, tell)
        return run.judged(gather(fixed, moving, best, checked, earlier), tuple(stages), earlier)

    tell("deformable", 0.5)
    began, part = time.perf_counter(), 0.2 if config.tiles else 0.5
    found = deform_from(
        fixed, moving, best, field, bending, lambda share: tell("deformable", 0.5 + share * part), run.threads
    )
    seen_on = fixed.frame.fit(512)
    whole = mended(replace(found.field, from_frame=run.fixed.frame, to_frame=run.fixed.frame), seen_on)
    bent = Chain((whole, best))
    after, folded = similarity(fixed, moving, bent), folded_share(bent, seen_on)
    accepted = after > score and folded == 0
    note = "" if accepted else (f"folds on {folded:.2%} of the slide" if folded else "no better than what came before")
    stages.append(StageRecord("deformable", accepted, time.perf_counter() - began, score, after, note, asdict(bending)))
    final, rejected = (bent, "") if accepted else (earlier, f"deformable stage rejected: {note}")
    final = _close_up(run, final, stages, tell)
    tell("done", 1.0)
    evidence = gather(fixed, moving, best, checked, final, found.disagreement_um)
    return run.judged(evidence, tuple(stages), final, rejected)


def _close_up(run: _Run, earlier: Transform, stages: list[StageRecord], tell: Progress) -> Transform:
    """After the refinement in tiles, where it is asked for and verifiably improves."""
    config, began = run.config.tiles, time.perf_counter()
    if config is None:
        return earlier
    view = CloseUp.of(run.fixed, run.moving, config, run.masks)
    before = view.score(earlier)
    field = view.refined(earlier, run.threads, lambda share: tell("tiles", 0.7 + 0.3 * share))
    found = Chain((field, earlier))
    after, folded = view.score(found), folded_share(found, field.grid.fit(1024))
    accepted = after > before + NO_BETTER and folded == 0
    note = "" if accepted else (f"folds on {folded:.2%} of the slide" if folded else "no better than what came before")
    stages.append(StageRecord("tiles", accepted, time.perf_counter() - began, before, after, note, asdict(config)))
    return found if accepted else earlier


def _affine(run: _Run, found: Hypothesis) -> Affine:
    return Affine(found.matrix, run.fixed.frame, run.moving.frame)


def _affine_part(start: Transform, fixed: Section) -> np.ndarray:
    """The affine that fits a transform best over the fixed section."""
    points = fixed.frame.fit(32).centres_um()
    inside = np.c_[points, np.ones(len(points))]
    rows = np.linalg.lstsq(inside, start(points), rcond=None)[0].T
    return np.vstack([rows, [0, 0, 1]])
