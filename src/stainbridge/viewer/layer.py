"""What is looked at: the layers of a case, each a slide in the fixed slide's space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stainbridge.geometry.frame import Space
from stainbridge.geometry.transform import Affine, Transform
from stainbridge.registration.result import Registration
from stainbridge.slides.slide import Slide
from stainbridge.slides.warped import WarpedSlide

#: The id of the layer that the others are laid on.
FIXED = "fixed"
#: The id of the first layer that is laid on it.
MOVING = "moving"
#: The id of the layer of a new registration that is compared with the old one.
CANDIDATE = "candidate"


@dataclass(frozen=True, eq=False)
class Layer:
    """One slide of a case."""

    id: str
    """"fixed", "moving", "moving-2", … or "candidate"."""
    original: Slide
    """The slide as it was scanned."""
    slide: Slide
    """The same slide in the fixed slide's space."""
    unaligned: Slide
    """The same slide before alignment: laid corner on corner on the fixed slide."""
    transform: Transform | None = None
    """Moving from fixed; None for the fixed slide itself."""
    registration: Registration | None = None
    """What the transform comes from; None where the slide is only laid corner on corner."""
    folder: Path | None = None
    """The folder of the registration."""

    @property
    def is_fixed(self) -> bool:
        """Whether the other layers are laid on this one."""
        return self.id == FIXED

    @property
    def is_aligned(self) -> bool:
        """Whether the slide is where a registration puts it."""
        return self.is_fixed or (
            self.registration is not None and self.registration.status != "failed"
        )


@dataclass(frozen=True, eq=False)
class Case:
    """Slides that are looked at together; the first is the fixed one."""

    layers: tuple[Layer, ...]
    """The layers, bottom up."""

    @property
    def fixed(self) -> Layer:
        """The layer that the others are laid on."""
        return self.layers[0]

    def find_layer(self, layer_id: str) -> Layer | None:
        """Return the layer of an id; None where there is none."""
        return next((layer for layer in self.layers if layer.id == layer_id), None)

    def close(self) -> None:
        """Close all slides."""
        for layer in self.layers:
            layer.original.close()


#: Opens the slides of a case.
OpenCase = Callable[[], Case]


def make_fixed_layer(slide: Slide) -> Layer:
    """Return the layer of the slide that stays in place."""
    return Layer(FIXED, slide, slide, slide)


def make_registered_layer(
    layer_id: str, registration: Registration, moving: Slide, folder: Path | None
) -> Layer:
    """Return the layer of a registered slide; of a failed one, laid corner on corner."""
    corners = lay_corner_on_corner(registration.fixed.space, registration.moving.space)
    failed = registration.status == "failed"
    transform: Transform = corners if failed else registration.transform
    warped = WarpedSlide(moving, transform, registration.fixed)
    unaligned = WarpedSlide(moving, corners, registration.fixed)
    return Layer(layer_id, moving, warped, unaligned, transform, registration, folder)


def make_loose_layer(layer_id: str, slide: Slide, fixed: Slide) -> Layer:
    """Return the layer of a slide that is not registered, laid corner on corner."""
    transform = lay_corner_on_corner(fixed.frame.space, slide.frame.space)
    laid = WarpedSlide(slide, transform, fixed.frame)
    return Layer(layer_id, slide, laid, laid, transform)


def lay_corner_on_corner(fixed: Space, moving: Space) -> Affine:
    """Return the map that lays two slides corner on corner, moving from fixed.

    Where a pixel size is not known the slides are scaled to one width.
    """
    matrix = np.eye(3)
    if not (fixed.calibrated and moving.calibrated):
        matrix[:2, :2] *= moving.frame.size_um[0] / fixed.frame.size_um[0]
    return Affine(matrix, fixed, moving)
