"""One generated case in memory, its exact transform as a method, and translations of colours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

from stainbridge.evaluate.methods.alignment import Alignment
from stainbridge.evaluate.synthesis.methods import SynthesisMethod
from stainbridge.evaluate.synthesis.patches import MeasureConfig
from stainbridge.evaluate.synthesis.scene import Translation
from stainbridge.geometry.transform import Transform
from stainbridge.imaging.image import Image
from stainbridge.phantom.pairs.pair import PhantomPair, generate_pair
from stainbridge.slides.case import Case, OpenSlideFunction
from stainbridge.slides.mapped import MappedSlide
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide

#: Patches that fit the small case.
MEASURES = MeasureConfig(patch_px=48, min_tissue=0.5, max_patches=6, block_px=128)


@dataclass(frozen=True)
class KnownCase:
    """A case whose transform is known."""

    case: Case
    pair: PhantomPair
    transform: Transform
    open_same_stain: OpenSlideFunction

    @property
    def truth(self) -> SynthesisMethod:
        """The method that knows the answer."""
        return SynthesisMethod(
            "truth", lambda _fixed, _moving, _start: Alignment(self.transform), False
        )


def draw_once(slide: Slide, name: str) -> OpenSlideFunction:
    """Return what opens the slide from memory."""
    pixels = np.ascontiguousarray(slide.read(slide.frame).pixels)
    return partial(ArraySlide, pixels, None, name, slide.stain, space=slide.frame.space)


@pytest.fixture(scope="session")
def known_case() -> KnownCase:
    """A small, slightly deformed pair of H&E and Ki67."""
    settings = {"seed": 3, "size_px": 256, "mpp": 8.0, "difficulty": "easy", "flip": False}
    pair = generate_pair(fixed_stain="HE", moving_stain="Ki67", rotation_deg=20.0, **settings)
    same = generate_pair(fixed_stain="Ki67", moving_stain="Ki67", rotation_deg=20.0, **settings)
    case = Case(
        "one",
        draw_once(pair.fixed, "one_HE.png"),
        draw_once(pair.moving, "one_Ki67.png"),
        (pair.fixed_landmarks.points_px, pair.moving_landmarks.points_px),
        open_fixed_labels=draw_once(pair.fixed.classes, "fixed classes"),
        open_moving_labels=draw_once(pair.moving.classes, "moving classes"),
    )
    transform = pair.truth.to_field(pair.fixed.frame)
    return KnownCase(case, pair, transform, draw_once(same.fixed, "one_fixed_Ki67.png"))


def invert(image: Image) -> Image:
    """The picture with inverted colours."""
    return Image(255 - image.pixels, image.frame, image.valid, image.stain)


def inverted(source: str = "HE") -> Translation:
    """A translation that inverts colours."""
    return Translation(
        "inverted", lambda slide: MappedSlide(slide, invert), source, settings={"kind": "inverted"}
    )
