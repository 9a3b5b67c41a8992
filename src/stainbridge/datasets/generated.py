"""Generated pairs to train on: a new one for every number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stainbridge.errors import InputError
from stainbridge.phantom.pair import Difficulty, generate_pair
from stainbridge.register.training.pairs import TrainingPair
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide


@dataclass(frozen=True)
class GeneratedPairs:
    """Pair `number` of `seed`: two of `stains`, at a pixel size drawn from `mpp`, `size_px` a side, with exact truth.

    Rendered once, at full resolution, into memory. Raises `InputError` for stains that are not known.
    """

    seed: int
    stains: tuple[str, ...] = ("HE", "Ki67", "PanCK", "CD31")
    size_px: int = 640
    mpp: tuple[float, float] = (1.5, 8.0)
    difficulty: Difficulty = "real"

    def __post_init__(self) -> None:
        if len(self.stains) < 1:
            raise InputError("no stains to generate", expected="at least one")

    def __getitem__(self, number: int) -> TrainingPair:
        """Generate and render a pair."""
        rng = np.random.default_rng([self.seed, number])
        fixed_stain, moving_stain = rng.choice(self.stains, 2)
        mpp = float(np.exp(rng.uniform(*np.log(self.mpp))))
        pair = generate_pair(
            seed=int(rng.integers(2**31)),
            size_px=self.size_px,
            mpp=mpp,
            fixed_stain=str(fixed_stain),
            moving_stain=str(moving_stain),
            difficulty=self.difficulty,
            landmarks=0,
        )
        return TrainingPair(_rendered(pair.fixed), _rendered(pair.moving), pair.truth)


def _rendered(slide: Slide) -> ArraySlide:
    pixels = np.ascontiguousarray(slide.read(slide.frame).pixels)
    return ArraySlide(pixels, slide.frame.mpp[0], slide.frame.name, slide.stain)
