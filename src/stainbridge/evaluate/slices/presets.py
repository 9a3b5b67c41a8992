"""The presets of `stainbridge.register`, from the slices as given.

The slices lie about on each other, so nothing is searched: the given placement is refined. Masks
replace the search for tissue, which expects glass around it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from stainbridge.evaluate.methods.alignment import Alignment
from stainbridge.evaluate.methods.presets import warm_up
from stainbridge.evaluate.slices.method import LoadedMethod, SliceMethod
from stainbridge.geometry.placement import place_unregistered
from stainbridge.registration.config import PRESETS, RegisterConfig
from stainbridge.registration.sections.density import Masks
from stainbridge.slides.slide import Slide


def load_preset(config: RegisterConfig) -> LoadedMethod:
    """Return the preset, warmed up: the first calls into torch take longer than later ones."""
    from stainbridge.registration.pipeline import register_slides

    def align(fixed: Slide, moving: Slide, masks: Masks) -> Alignment:
        registration = register_slides(
            fixed,
            moving,
            config,
            initial_transform=place_unregistered(fixed.frame.space, moving.frame.space),
            fixed_mask=masks[0],
            moving_mask=masks[1],
        )
        return Alignment(
            registration.solution,
            registration.status,
            registration.reason,
            registration.predicted_rtre,
        )

    warm_up(lambda fixed, moving: align(fixed, moving, (None, None)))
    return LoadedMethod(align)


def read_settings(config: RegisterConfig) -> dict[str, Any]:
    """Return the configuration and where it begins."""
    return {**config.to_dict(), "initial_transform": "as given"}


METHODS = tuple(
    SliceMethod(
        name,
        f"stainbridge, preset {name}, from as given",
        partial(load_preset, config),
        partial(read_settings, config),
    )
    for name, config in PRESETS.items()
)
