"""Pairs of slides to train on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeAlias

from stainbridge.errors import InputError
from stainbridge.geometry.fit import fit_landmarks
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine, Transform
from stainbridge.registration.sections.density import SlideDensity
from stainbridge.slides.case import Case
from stainbridge.slides.pool import SlidePool
from stainbridge.slides.slide import Slide

#: Nodes along the longer side of the field that stands for a map which is not affine.
FIELD_NODES = 128

#: Returns the map from a fixed slide to a moving one.
AlignFunction: TypeAlias = Callable[[Slide, Slide], Transform]


@dataclass(frozen=True, eq=False)
class TrainingPair:
    """Two open slides and the map between them, as well as it is known."""

    fixed: Slide
    """The fixed slide."""
    moving: Slide
    """The moving slide."""
    moving_from_fixed: Transform
    """The map from the fixed to the moving slide."""


class Pairs(Protocol):
    """Pairs by number, without end; number i is always the same pair.

    They must pickle, for worker processes.
    """

    def __getitem__(self, number: int) -> TrainingPair:
        """Open pair `number`."""
        ...


@dataclass(frozen=True)
class CasePairs:
    """The cases over and over, aligned by three or more landmarks, else by `align`.

    Alignments by `align` are cached in this object. Raises `InputError` where there are no cases.
    """

    cases: Sequence[Case]
    """Pairs of slides, with landmarks or without."""
    align: AlignFunction
    """Aligns slides of cases without landmarks."""
    _alignments: dict[str, Transform] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if not self.cases:
            raise InputError("no pairs to train on", expected="at least one pair of slides")

    def __getitem__(self, number: int) -> TrainingPair:
        """Open the slides of a case and align them."""
        case = self.cases[number % len(self.cases)]
        fixed = case.open_fixed()
        moving = case.open_moving()
        return TrainingPair(fixed, moving, self._align_case(case, fixed, moving))

    def _align_case(self, case: Case, fixed: Slide, moving: Slide) -> Transform:
        if case.landmarks is None or len(case.landmarks[0]) < 3:
            if case.id not in self._alignments:
                self._alignments[case.id] = self.align(fixed, moving)
            return self._alignments[case.id]
        fixed_px, moving_px = case.landmarks
        fixed_um = fixed.frame.to_um(fixed_px)
        moving_um = moving.frame.to_um(moving_px)
        return fit_landmarks(fixed_um, moving_um, fixed.frame.space, moving.frame.space)


@dataclass(frozen=True, eq=False)
class PreparedPair:
    """A pair with the densities of its slides, and its map in a form that is quick to evaluate."""

    pair: TrainingPair
    """The slides."""
    fixed: SlideDensity
    """How densities of the fixed slide are read."""
    moving: SlideDensity
    """How densities of the moving slide are read."""
    moving_from_fixed: Transform
    """The pair's map, affine or a field."""

    @classmethod
    def prepare(cls, pair: TrainingPair) -> PreparedPair:
        """Read the overviews of a pair. Raises `InputError` for a slide without tissue."""
        transform = pair.moving_from_fixed
        if not isinstance(transform, Affine):
            transform = transform.to_field(_field_grid(pair.fixed.frame))
        return cls(pair, SlideDensity.fit(pair.fixed), SlideDensity.fit(pair.moving), transform)

    def close(self) -> None:
        """Close the slides."""
        self.pair.fixed.close()
        self.pair.moving.close()


@dataclass(frozen=True, eq=False)
class PairCache:
    """Pairs by number, prepared; the last `count` of them stay open."""

    pairs: Pairs
    """The pairs."""
    count: int
    """Number of pairs that stay open."""
    _pool: SlidePool[int, PreparedPair] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_pool", SlidePool(partial(_prepare, self.pairs), self.count))

    def __getitem__(self, number: int) -> PreparedPair:
        """Return pair `number`, prepared."""
        with self._pool.borrow(number) as prepared:
            return prepared


def _prepare(pairs: Pairs, number: int) -> PreparedPair:
    return PreparedPair.prepare(pairs[number])


def _field_grid(frame: Frame) -> Frame:
    return frame.at_mpp(max(frame.size_um) / FIELD_NODES)
