"""No registration at all, and stainbridge's own presets."""

from __future__ import annotations

import numpy as np

from stainbridge.evaluate.methods.alignment import Align, Alignment
from stainbridge.geometry.transform import Affine
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide


def identity(fixed: Slide, moving: Slide) -> Alignment:
    """The slides laid on each other by their top-left corners: unregistered."""
    return Alignment(Affine(np.eye(3), fixed.frame, moving.frame))


def preset(name: str) -> Align:
    """`stainbridge.register` with one of its presets, warmed up: first calls into torch cost more than later ones."""
    from stainbridge.register.config import RegisterConfig
    from stainbridge.register.run import register_slides

    config = RegisterConfig.preset(name)

    def align(fixed: Slide, moving: Slide) -> Alignment:
        found = register_slides(fixed, moving, config)
        return Alignment(found.solution, found.status, found.reason, found.predicted_rtre)

    align(*_small_pair())
    return align


def _small_pair() -> tuple[Slide, Slide]:
    picture = np.full((3, 96, 96), 240, np.uint8)
    picture[:, 20:70, 30:80] = np.random.default_rng(0).integers(60, 200, (3, 50, 50), np.uint8)
    return ArraySlide(picture), ArraySlide(picture)
