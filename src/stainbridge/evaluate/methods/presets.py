"""The presets of `stainbridge.register` as methods."""

from __future__ import annotations

from functools import partial

import numpy as np

from stainbridge.evaluate.methods.alignment import Align, Alignment, Method
from stainbridge.registration.config import PRESETS, RegisterConfig
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide


def load_configured(config: RegisterConfig) -> Align:
    """Return `stainbridge.register` with a configuration, warmed up.

    The first calls into torch take longer than later ones.
    """
    from stainbridge.registration.pipeline import register_slides

    def align(fixed: Slide, moving: Slide) -> Alignment:
        registration = register_slides(fixed, moving, config)
        return Alignment(
            registration.solution,
            registration.status,
            registration.reason,
            registration.predicted_rtre,
        )

    warm_up(align)
    return align


def warm_up(align: Align) -> None:
    """Register a small picture with itself."""
    picture = np.full((3, 96, 96), 240, np.uint8)
    picture[:, 20:70, 30:80] = np.random.default_rng(0).integers(60, 200, (3, 50, 50), np.uint8)
    align(ArraySlide(picture), ArraySlide(picture))


METHODS = tuple(
    Method(
        name,
        f"stainbridge, preset {name}",
        partial(load_configured, config),
        config.to_dict,
    )
    for name, config in PRESETS.items()
)
