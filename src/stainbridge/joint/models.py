"""The networks of a run that registers, whichever method trained it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar, overload

from stainbridge.errors import InputError
from stainbridge.geometry.transform import Affine, DisplacementField
from stainbridge.joint.field import GreyField
from stainbridge.joint.sar.comparator_task import load_comparator
from stainbridge.joint.sar.model import load_sar
from stainbridge.joint.sbr.model import load_sbr
from stainbridge.learn.named_weights import find_weights
from stainbridge.learn.weights import read_weights
from stainbridge.registration.sections.density import Masks
from stainbridge.registration.sections.section import Section, read_section
from stainbridge.registration.stages.learned_field import LearnedField
from stainbridge.slides.slide import Slide

GreyT = TypeVar("GreyT", bound=GreyField)

#: Working resolution of sections that a network of densities is shown, in pixels.
SECTION_PX = 1024


class FieldNetwork(Protocol):
    """Finds the displacement between two slides that are roughly placed."""

    def register_slides(
        self, fixed: Slide, moving: Slide, placement: Affine, masks: Masks
    ) -> DisplacementField:
        """Return the displacement, in the fixed space, to apply before `placement`.

        Raises `InputError` for a slide without tissue.
        """
        ...


@dataclass(frozen=True, eq=False)
class SectionField:
    """A network of tissue densities, which `train deformable` trains; a `FieldNetwork`."""

    network: LearnedField
    """The network."""

    def register_slides(
        self, fixed: Slide, moving: Slide, placement: Affine, masks: Masks
    ) -> DisplacementField:
        """Return the displacement, in the fixed space, to apply before `placement`.

        Raises `InputError` for a slide without tissue.
        """
        sections = []
        for slide, mask in zip((fixed, moving), masks, strict=True):
            section = read_section(slide, SECTION_PX, mask)
            sections.append(section or _refuse_glass(slide))
        return self.network.register_sections(sections[0], sections[1], placement)


def load_field(weights: str | Path, device: str = "cpu") -> FieldNetwork:
    """Load the networks of a run folder, a file of weights, or shipped weights by name.

    Raises `InputError` for a damaged file and for weights that do not register.
    """
    path = find_weights(str(weights))
    stored = read_weights(path)
    if stored.task not in LOADERS:
        raise InputError(
            "these weights do not register",
            where=path,
            expected=", ".join(LOADERS),
            got=stored.task,
        )
    return LOADERS[stored.task](path, device)


@overload
def resize_view(field: GreyT, longest_px: int) -> GreyT: ...
@overload
def resize_view(field: FieldNetwork, longest_px: int) -> FieldNetwork: ...
def resize_view(field: FieldNetwork, longest_px: int) -> FieldNetwork:
    """Return the same networks that see the tissue's longer side in so many pixels."""
    if isinstance(field, GreyField):
        return replace(field, longest_px=longest_px, mpp=None)
    assert isinstance(field, SectionField)
    return SectionField(replace(field.network, longest_px=longest_px, mpp=None))


def _load_section_field(path: Path, device: str) -> SectionField:
    return SectionField(LearnedField.load(path, device))


def _refuse_glass(slide: Slide) -> Section:
    raise InputError("no tissue found", where=slide.info.path)


#: Loads the networks of a run for a device.
LoadField: TypeAlias = Callable[[Path, str], FieldNetwork]
#: How the networks of each task are loaded, by the task's name in files of weights.
LOADERS: dict[str, LoadField] = {
    "deformable": _load_section_field,
    "sar": load_sar,
    "sar-comparator": load_comparator,
    "sbr": load_sbr,
}
