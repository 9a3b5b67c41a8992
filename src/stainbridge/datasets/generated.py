"""Generated pairs to train on: a new one for every number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stainbridge.phantom.pairs.config import check_slide_size
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.phantom.staining.contrast import RANDOM_STAIN
from stainbridge.phantom.staining.library import STAINS, find_stain
from stainbridge.registration.training.config import GeneratedConfig
from stainbridge.registration.training.pairs import TrainingPair
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide


@dataclass(frozen=True)
class GeneratedPairs:
    """Generated pairs of slides by number, each with its exact transform.

    A pair is rendered once, at full resolution, into memory. Raises `InputError` for slides
    that are too small for tissue, and for stains that are not known.
    """

    config: GeneratedConfig
    """What is generated."""
    seed: int
    """Another seed gives other pairs."""

    def __post_init__(self) -> None:
        check_slide_size(self.config.size_px, min(self.config.mpp))
        for name in self.config.stains:
            if name != RANDOM_STAIN:
                find_stain(name)

    def __getitem__(self, number: int) -> TrainingPair:
        """Generate and render pair `number`."""
        rng = np.random.default_rng([self.seed, number])
        stains = self.config.stains or (*STAINS, *[RANDOM_STAIN] * len(STAINS))
        fixed_stain, moving_stain = (stains[rng.integers(len(stains))] for _ in range(2))
        pair = generate_pair(
            seed=int(rng.integers(2**31)),
            size_px=self.config.size_px,
            mpp=float(np.exp(rng.uniform(*np.log(self.config.mpp)))),
            fixed_stain=fixed_stain,
            moving_stain=moving_stain,
            organ="any",
            difficulty=self.config.difficulty,
            landmarks=0,
        )
        return TrainingPair(_render(pair.fixed), _render(pair.moving), pair.truth)


def _render(slide: Slide) -> ArraySlide:
    pixels = np.ascontiguousarray(slide.read(slide.frame).pixels)
    return ArraySlide(pixels, name=slide.frame.label, stain=slide.stain, space=slide.frame.space)
