"""Pairs of slides to train on, and which of them a sample is made from."""

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


@dataclass(frozen=True, eq=False)
class TrainingPair:
    """Two open slides and the map from the fixed one to the moving one, as well as it is known."""

    fixed: Slide
    moving: Slide
    moving_from_fixed: Transform


class Pairs(Protocol):
    """Pairs by number, without end; number i is always the same pair. They must pickle, for worker
    processes.
    """

    def __getitem__(self, number: int) -> TrainingPair:
        """Open pair `number`."""
        ...


AlignFunction: TypeAlias = Callable[[Slide, Slide], Transform]


@dataclass(frozen=True)
class CasePairs:
    """The cases over and over. They are aligned by their landmarks, where there are three or more,
    else by `align`.

    What `align` found is kept, in this process. Raises `InputError` for no cases.
    """

    cases: Sequence[Case]
    align: AlignFunction
    _found: dict[str, Transform] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if not self.cases:
            raise InputError("no pairs to train on", expected="at least one pair of slides")

    def __getitem__(self, number: int) -> TrainingPair:
        """Open the slides of a case and align them."""
        case = self.cases[number % len(self.cases)]
        fixed, moving = case.open_fixed(), case.open_moving()
        return TrainingPair(fixed, moving, self._start(case, fixed, moving))

    def _start(self, case: Case, fixed: Slide, moving: Slide) -> Transform:
        if case.landmarks is None or len(case.landmarks[0]) < 3:
            if case.id not in self._found:
                self._found[case.id] = self.align(fixed, moving)
            return self._found[case.id]
        fixed_um, moving_um = (
            s.frame.to_um(p) for s, p in zip((fixed, moving), case.landmarks, strict=True)
        )
        return fit_landmarks(fixed_um, moving_um, fixed.frame.space, moving.frame.space)


@dataclass(frozen=True, eq=False)
class PreparedPair:
    """A pair with the densities of its slides, and its map as something quick to evaluate."""

    pair: TrainingPair
    fixed: SlideDensity
    moving: SlideDensity
    moving_from_fixed: Transform

    @classmethod
    def of(cls, pair: TrainingPair) -> PreparedPair:
        """Read overviews. Raises `InputError` for a slide without tissue."""
        start = pair.moving_from_fixed
        if not isinstance(start, Affine):
            start = start.to_field(_nodes(pair.fixed.frame))
        return cls(pair, SlideDensity.of(pair.fixed), SlideDensity.of(pair.moving), start)

    def close(self) -> None:
        """Release the slides."""
        self.pair.fixed.close()
        self.pair.moving.close()


@dataclass(frozen=True, eq=False)
class PairCache:
    """The last `count` pairs that were asked for stay prepared, in this process."""

    pairs: Pairs
    count: int
    _pool: SlidePool[int, PreparedPair] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_pool", SlidePool(partial(_prepare, self.pairs), self.count))

    def __getitem__(self, number: int) -> PreparedPair:
        """Pair `number`, prepared."""
        with self._pool.borrow(number) as prepared:
            return prepared


def _prepare(pairs: Pairs, number: int) -> PreparedPair:
    return PreparedPair.of(pairs[number])


def pair_of_sample(sample: int, at_hand: int, reuse: int) -> int:
    """Which pair sample number `sample` is made from.

    Samples go round `at_hand` pairs; each is used `reuse` times and then replaced, one after the
    other, not all at once, so that the work of preparing is spread evenly.
    """
    turn, slot = divmod(sample, at_hand)
    generation = (turn + slot * reuse // at_hand) // reuse
    return generation * at_hand + slot


def _nodes(frame: Frame, count: int = 128) -> Frame:
    return frame.at_mpp(max(frame.size_um) / count)
