"""No registration at all, and stainbridge's own presets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stainbridge.evaluate.methods.alignment import Align, Alignment
from stainbridge.geometry.placement import place_unregistered
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide

if TYPE_CHECKING:
    from stainbridge.registration.config import RegisterConfig


def identity(fixed: Slide, moving: Slide) -> Alignment:
    """Return the unregistered placement, see `place_unregistered`."""
    return Alignment(place_unregistered(fixed.frame.space, moving.frame.space))


def load_preset(name: str) -> Align:
    """`stainbridge.register` with one of its presets."""
    from stainbridge.registration.config import RegisterConfig

    return load_configured(RegisterConfig.preset(name))


def load_configured(config: RegisterConfig) -> Align:
    """`stainbridge.register` so configured, warmed up: first calls into torch cost more than later
    ones.
    """
    from stainbridge.registration.pipeline import register_slides

    def align(fixed: Slide, moving: Slide) -> Alignment:
        found = register_slides(fixed, moving, config)
        return Alignment(found.solution, found.status, found.reason, found.predicted_rtre)

    align(*_small_pair())
    return align


def _small_pair() -> tuple[Slide, Slide]:
    picture = np.full((3, 96, 96), 240, np.uint8)
    picture[:, 20:70, 30:80] = np.random.default_rng(0).integers(60, 200, (3, 50, 50), np.uint8)
    return ArraySlide(picture), ArraySlide(picture)
