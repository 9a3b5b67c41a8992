"""No registration at all, and stainbridge's own presets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stainbridge.evaluate.methods.alignment import Align, Alignment
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide

if TYPE_CHECKING:
    from stainbridge.registration.config import RegisterConfig


def identity(fixed: Slide, moving: Slide) -> Alignment:
    """Unregistered; see `corner_on_corner`."""
    return Alignment(corner_on_corner(fixed.frame, moving.frame))


def corner_on_corner(fixed: Frame, moving: Frame) -> Affine:
    """The slides laid on each other by their top-left corners, µm on µm, or pixel on pixel where
    one has no size.
    """
    same_unit = fixed.calibrated == moving.calibrated
    factors = (
        (1.0, 1.0) if same_unit else (moving.mpp[0] / fixed.mpp[0], moving.mpp[1] / fixed.mpp[1])
    )
    return Affine(np.diag([*factors, 1.0]), fixed.space, moving.space)


def preset(name: str) -> Align:
    """`stainbridge.register` with one of its presets."""
    from stainbridge.registration.config import RegisterConfig

    return configured(RegisterConfig.preset(name))


def configured(config: RegisterConfig) -> Align:
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
