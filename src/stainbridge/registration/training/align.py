"""Alignment of training pairs that have no landmarks, by registering them."""

from __future__ import annotations

from stainbridge.errors import InputError
from stainbridge.geometry.transform import Transform
from stainbridge.registration.config import RegisterConfig
from stainbridge.registration.pipeline import register_slides
from stainbridge.registration.stages.deformable import DeformableConfig
from stainbridge.slides.slide import Slide


def align_by_registration(fixed: Slide, moving: Slide) -> Transform:
    """Return the affine map that the `fast` preset finds; raise `InputError` when it fails."""
    config = RegisterConfig.preset("fast").without_stage(DeformableConfig)
    registration = register_slides(fixed, moving, config)
    if registration.status == "failed":
        raise InputError(
            f"a training pair could not be aligned: {registration.reason}",
            where=f"{fixed.info.path}, {moving.info.path}",
            remedy="give landmarks or leave the pair out",
        )
    return registration.transform
