"""The trained networks as stages of the pipeline: each is kept only where verification says that it
helped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Self

import numpy as np

from stainbridge.geometry.transform import Affine, Chain, DisplacementField
from stainbridge.geometry.warp import warp_array
from stainbridge.learn.shipped import weights_path
from stainbridge.registration.config import (
    DeformableConfig,
    LearnedAffineConfig,
    LearnedFieldConfig,
    RegisterConfig,
)
from stainbridge.registration.result import StageRecord
from stainbridge.registration.sections.density import Masks
from stainbridge.registration.sections.section import Section
from stainbridge.registration.stages.deformable import Deformation, deform
from stainbridge.registration.stages.folds import mended
from stainbridge.registration.stages.learned_affine import LearnedAffine
from stainbridge.registration.stages.learned_field import LearnedField
from stainbridge.registration.stages.search import Hypothesis, distinct
from stainbridge.registration.verdict.verification import (
    Verification,
    folded_share,
    similarity,
    verify,
)
from stainbridge.slides.slide import Slide

#: Of the section's radius: maps that are nearer are one.
APART = 0.05
#: A score that rises by less has not improved: a network that does next to nothing would take an
#: optimiser's place.
MARGIN = 0.002
#: Starts of its own that the network goes on with after a first pass of all.
OWN = 16
#: What the stages are called in a registration's record.
AFFINE, FIELD = "affine-net", "learned field"


@dataclass(frozen=True, eq=False)
class AffineStage:
    """The affine network on many starts at once."""

    network: LearnedAffine
    config: LearnedAffineConfig

    def __call__(
        self, fixed: Section, moving: Section, starts: Sequence[Hypothesis]
    ) -> tuple[list[Hypothesis], StageRecord]:
        """The best distinct maps that the network makes of `starts`, best first; the starts where
        none is better.
        """
        began = time.perf_counter()
        found = self.found(fixed, moving, starts)
        before, after = (
            similarity(fixed, moving, _affine(item, fixed, moving))
            for item in (starts[0], found[0])
        )
        accepted = after > before + MARGIN
        note = "" if accepted else "no better than the best start"
        return (found if accepted else list(starts)), self._record(
            began, accepted, before, after, note
        )

    def turned(
        self,
        fixed: Section,
        moving: Section,
        within: RegisterConfig,
        doubt: Callable[[Verification], str],
    ) -> tuple[list[Hypothesis], StageRecord]:
        """Likewise from starts of its own, without a search; none where there is `doubt` about the
        best.
        """
        began = time.perf_counter()
        found = self.found_turned(fixed, moving, within)
        checked = verify(fixed, moving, _affine(found[0], fixed, moving))
        note = doubt(checked)
        return ([] if note else found), self._record(began, not note, 0.0, checked.score, note)

    def found(
        self, fixed: Section, moving: Section, starts: Sequence[Hypothesis]
    ) -> list[Hypothesis]:
        """The best distinct maps that the network makes of `starts`, whatever they are worth, best
        first.
        """
        rough = self.network.ranked(
            fixed, moving, [start.matrix for start in starts], self.config.passes
        )
        best = distinct(rough, fixed, self.config.keep, APART)
        if not self.config.finer:
            return best
        finer = self.network.finer()
        best = finer.ranked(fixed, moving, [item.matrix for item in best])
        if self.config.finer > 1:
            best += finer.ranked(fixed, moving, [best[0].matrix], self.config.finer - 1)
        return sorted(best, key=lambda item: -item.score)[: self.config.keep]

    def found_turned(
        self, fixed: Section, moving: Section, within: RegisterConfig
    ) -> list[Hypothesis]:
        """`found` of turns about the tissues' middles, as far as `within` lets them go; once
        through the network all of them, and the best `OWN` on.
        """
        flips = (False, True) if within.allow_flip else (False,)
        starts = turned_starts(fixed, moving, self.config.angles, flips, within.max_rotation_deg)
        return self.found(
            fixed,
            moving,
            self.network.ranked(fixed, moving, [start.matrix for start in starts])[:OWN],
        )

    def _record(
        self, began: float, accepted: bool, before: float, after: float, note: str
    ) -> StageRecord:
        return StageRecord(
            AFFINE, accepted, time.perf_counter() - began, before, after, note, asdict(self.config)
        )


@dataclass(frozen=True, eq=False)
class FieldStage:
    """A deformable network after an affine map."""

    network: LearnedField
    config: LearnedFieldConfig

    def __call__(
        self,
        sections: tuple[Section, Section],
        slides: tuple[Slide, Slide],
        start: Affine,
        before: float,
        masks: Masks = (None, None),
    ) -> tuple[DisplacementField | None, StageRecord]:
        """What the network bends before `start`, whose score is `before`; None where it folds or is
        no better.
        """
        began = time.perf_counter()
        seen_on = sections[0].frame.fit(512)
        field = mended(self._field(sections, slides, start, masks), seen_on)
        bent = Chain((field, start))
        after, folded = similarity(*sections, bent), folded_share(bent, seen_on)
        accepted = after > before + MARGIN and folded == 0
        note = (
            ""
            if accepted
            else (f"folds on {folded:.2%} of the slide" if folded else "no better than the affine")
        )
        seconds = time.perf_counter() - began
        record = StageRecord(FIELD, accepted, seconds, before, after, note, asdict(self.config))
        return (field if accepted else None), record

    def _field(
        self,
        sections: tuple[Section, Section],
        slides: tuple[Slide, Slide],
        start: Affine,
        masks: Masks,
    ) -> DisplacementField:
        if self.config.mpp is None:
            return self.network.of_sections(*sections, start)
        return self.network.of_slides(*slides, start, self.config.mpp, masks=masks)


@dataclass(frozen=True, eq=False)
class Networks:
    """The stages that a configuration asks for, None for the others."""

    affine: AffineStage | None = None
    field: FieldStage | None = None

    @classmethod
    def of(cls, config: RegisterConfig, device: str) -> Self:
        """Load them. Raises `InputError` for weights that are missing, damaged or another
        network's.
        """
        first, second = config.learned_affine, config.learned_field
        return cls(
            AffineStage(LearnedAffine.load(weights_path(first.weights), device), first)
            if first
            else None,
            FieldStage(LearnedField.load(weights_path(second.weights), device), second)
            if second
            else None,
        )

    def after_a_search(self) -> Self:
        """The same without the affine network's own starts: it goes on from those of a search."""
        if self.affine is None:
            return self
        config = replace(self.affine.config, angles=0)
        return replace(self, affine=replace(self.affine, config=config))


def turned_starts(
    fixed: Section, moving: Section, angles: int, flips: Sequence[bool], limit_deg: float
) -> list[Hypothesis]:
    """Tissue's middle on tissue's middle at equally spaced angles of at most `limit_deg`, each way
    up.

    Sizes are taken as the files have them where both are known, else so that both tissues have one
    area.
    """
    known = fixed.frame.calibrated and moving.frame.calibrated
    scale = 1.0 if known else float(np.sqrt(moving.area_um2 / fixed.area_um2))
    degrees = (np.arange(angles) * 360 / angles + 180) % 360 - 180
    chosen = np.radians(degrees[np.abs(degrees) <= limit_deg])
    return [
        Hypothesis(_laid(scale, angle, flip, fixed, moving), 0.0)
        for angle in chosen
        for flip in flips
    ]


def deform_from(
    fixed: Section,
    moving: Section,
    start: Affine,
    field: DisplacementField | None,
    config: DeformableConfig,
    progress: Callable[[float], None] = lambda _: None,
    threads: int = 1,
) -> Deformation:
    """Instance optimisation of what `field` and then `start` left: `deform`, begun at a field.

    The moving section is carried over once and bent from there; what is found and `field` become
    one field.
    """
    if field is None:
        return deform(fixed, moving, start, config, progress, threads)
    here = Affine(np.eye(3), fixed.frame.space, fixed.frame.space)
    rest = deform(
        fixed, carried(moving, Chain((field, start)), fixed), here, config, progress, threads
    )
    nodes = fixed.frame.at_mpp(min(rest.field.grid.mpp[0], field.grid.mpp[0]))
    return replace(rest, field=rest.field.then(field).to_field(nodes))


def carried(moving: Section, through: Chain, fixed: Section) -> Section:
    """The moving section as it lies on the fixed one's frame, seen through a map from fixed to
    moving µm.
    """
    planes = np.stack([moving.density, moving.region, moving.outline]).astype(np.float32)
    (density, region, outline), _ = warp_array(planes, moving.frame, through, fixed.frame)
    return Section(
        fixed.frame, density, region > 0.5, outline > 0.5, fixed.centre_um, fixed.radius_um
    )


def _affine(found: Hypothesis, fixed: Section, moving: Section) -> Affine:
    return Affine(found.matrix, fixed.frame.space, moving.frame.space)


def _laid(scale: float, angle: float, flip: bool, fixed: Section, moving: Section) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.eye(3)
    matrix[:2, :2] = (
        scale * np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if flip else 1.0, 1.0])
    )
    matrix[:2, 2] = np.asarray(moving.centre_um) - matrix[:2, :2] @ np.asarray(fixed.centre_um)
    return matrix
