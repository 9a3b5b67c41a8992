"""A trained network as a method: its raw field from the slices as given.

Unlike `stainbridge.register`, nothing verifies the field and nothing refines it: so papers evaluate
networks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from stainbridge.evaluate.methods.alignment import Alignment
from stainbridge.evaluate.slices.method import LoadedMethod, SliceMethod, Synthesise
from stainbridge.geometry.placement import place_unregistered
from stainbridge.geometry.transform import Affine, DisplacementField
from stainbridge.registration.sections.density import Masks
from stainbridge.slides.slide import Slide


class SliceField(Protocol):
    """A network that registers slides."""

    def register_slides(
        self, fixed: Slide, moving: Slide, placement: Affine, masks: Masks
    ) -> DisplacementField:
        """Return the displacement, in the fixed space, to apply before `placement`."""
        ...


@dataclass(frozen=True, eq=False)
class LoadedField:
    """What a trained run can do."""

    network: SliceField
    """Registers slides."""
    synthesise: Synthesise | None = None
    """Shows the moving slide as the fixed one would look; None where the run doesn't learn that."""


def field_method(
    name: str, load: Callable[[], LoadedField], read_settings: Callable[[], dict[str, Any]]
) -> SliceMethod:
    """Return a trained run as a method of that name."""
    return SliceMethod(name, "a trained network from as given", partial(_load, load), read_settings)


def _load(load: Callable[[], LoadedField]) -> LoadedMethod:
    field = load()

    def align(fixed: Slide, moving: Slide, masks: Masks) -> Alignment:
        placement = place_unregistered(fixed.frame.space, moving.frame.space)
        displacement = field.network.register_slides(fixed, moving, placement, masks)
        return Alignment(displacement.then(placement))

    return LoadedMethod(align, field.synthesise)
