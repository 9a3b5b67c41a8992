"""Where training pairs without landmarks lie on each other: found by registering them."""

from __future__ import annotations

from dataclasses import replace

from stainbridge.errors import InputError
from stainbridge.geometry.transform import Transform
from stainbridge.registration.config import RegisterConfig
from stainbridge.registration.pipeline import register_slides
from stainbridge.slides.slide import Slide


def by_registration(fixed: Slide, moving: Slide) -> Transform:
    """The affine map that the `fast` preset finds. Raises `InputError` when it fails."""
    found = register_slides(fixed, moving, replace(RegisterConfig.preset("fast"), deformable=None))
    if found.status == "failed":
        raise InputError(
            f"a training pair could not be aligned: {found.reason}",
            where=f"{fixed.info.path}, {moving.info.path}",
            remedy="give landmarks or leave the pair out",
        )
    return found.transform
