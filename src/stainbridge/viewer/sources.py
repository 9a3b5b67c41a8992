"""Where cases come from: result folders, slides that are not registered, one in memory."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.registration.record import read_record
from stainbridge.registration.result import Registration
from stainbridge.registration.store import load
from stainbridge.slides.open import open_slide
from stainbridge.slides.slide import Slide
from stainbridge.viewer.layer import (
    CANDIDATE,
    MOVING,
    Case,
    Layer,
    make_fixed_layer,
    make_loose_layer,
    make_registered_layer,
)


@dataclass(frozen=True)
class CaseSummary:
    """What a list of cases says of one."""

    status: str
    """"ok", "fallback", "failed", or "slides" where nothing is registered."""
    reason: str = ""
    """Why the status is not "ok"."""
    predicted_rtre: float | None = None
    """Expected error ÷ the fixed slide's diagonal; None where it is not known."""
    predicted_um: float | None = None
    """The same in µm; None where it is not known."""


class CaseSource(Protocol):
    """A case that can be opened."""

    @property
    def title(self) -> str:
        """What people call it."""

    @property
    def folder(self) -> Path | None:
        """Where what belongs to the case is saved; None: nowhere."""

    def summarise(self) -> CaseSummary:
        """Return what a list says of it, without opening a slide."""

    def open(self, candidate: Path | None = None) -> Case:
        """Open its slides; `candidate` is the folder of a new registration to compare with."""


@dataclass(frozen=True)
class ResultSource:
    """Registrations of one fixed slide, from their folders."""

    title: str
    """What people call it."""
    folders: tuple[Path, ...]
    """The folders; the first is the case's own."""

    @property
    def folder(self) -> Path:
        """The folder of the first registration."""
        return self.folders[0]

    def summarise(self) -> CaseSummary:
        """Return what the first registration's record says."""
        record = read_record(self.folder)
        return CaseSummary(
            str(record.get("status")),
            str(record.get("reason", "")),
            _number(record.get("predicted_rtre")),
            _number(record.get("predicted_um")),
        )

    def open(self, candidate: Path | None = None) -> Case:
        """Open the slides; raises `InputError` where a slide or a record is missing."""
        registrations = [load(folder) for folder in self.folders]
        ids = [MOVING, *(f"{MOVING}-{number}" for number in range(2, len(registrations) + 1))]
        with ExitStack() as opened:
            fixed = opened.enter_context(registrations[0].open_slide("fixed"))
            layers = [make_fixed_layer(fixed)]
            placed = list(zip(ids, registrations, self.folders, strict=True))
            if candidate is not None:
                placed.append((CANDIDATE, load(candidate), candidate))
            for layer_id, registration, folder in placed:
                _check_same_fixed(registration.fixed, fixed, folder)
                layers.append(_open_moving(opened, layer_id, registration, folder))
            opened.pop_all()
        return Case(tuple(layers))


@dataclass(frozen=True)
class SlidesSource:
    """Slides that are not registered; the first is the fixed one."""

    title: str
    """What people call it."""
    paths: tuple[Path, ...]
    """The slides."""
    folder: Path | None = None
    """Where what belongs to the case is saved; None: nowhere."""

    def summarise(self) -> CaseSummary:
        """Return that nothing is registered."""
        return CaseSummary("slides")

    def open(self, candidate: Path | None = None) -> Case:
        """Open the slides; raises `InputError` for one that cannot be read."""
        with ExitStack() as opened:
            slides = [opened.enter_context(open_slide(path)) for path in self.paths]
            layers = [make_fixed_layer(slides[0])]
            layers += [
                make_loose_layer(MOVING if number == 1 else f"{MOVING}-{number}", slide, slides[0])
                for number, slide in enumerate(slides[1:], 1)
            ]
            if candidate is not None:
                layers.append(_open_moving(opened, CANDIDATE, load(candidate), candidate))
            opened.pop_all()
        return Case(tuple(layers))


@dataclass(frozen=True)
class MemorySource:
    """A registration in memory, as in a notebook."""

    title: str
    """What people call it."""
    registration: Registration
    """The registration, which knows its slides."""
    folder: Path | None = None
    """Where what belongs to the case is saved; None: nowhere."""

    def summarise(self) -> CaseSummary:
        """Return what the registration says."""
        registration = self.registration
        is_known = registration.status != "failed"
        return CaseSummary(
            registration.status,
            registration.reason,
            registration.predicted_rtre if is_known else None,
            registration.predicted_um if is_known and registration.fixed.calibrated else None,
        )

    def open(self, candidate: Path | None = None) -> Case:
        """Open the slides once more; raises `InputError` where it is not known where they are."""
        with ExitStack() as opened:
            fixed = opened.enter_context(self.registration.open_slide("fixed"))
            moving = _open_moving(opened, MOVING, self.registration, self.folder)
            layers = [make_fixed_layer(fixed), moving]
            if candidate is not None:
                layers.append(_open_moving(opened, CANDIDATE, load(candidate), candidate))
            opened.pop_all()
        return Case(tuple(layers))


def _open_moving(
    opened: ExitStack, layer_id: str, registration: Registration, folder: Path | None
) -> Layer:
    """Return the layer of a registration's moving slide, which `opened` closes."""
    moving = opened.enter_context(registration.open_slide("moving"))
    return make_registered_layer(layer_id, registration, moving, folder)


def _check_same_fixed(frame: Frame, fixed: Slide, folder: Path) -> None:
    """Raise `InputError` for a registration whose fixed slide is another one."""
    size = (fixed.frame.width, fixed.frame.height)
    if (frame.width, frame.height) != size:
        raise InputError(
            "another fixed slide",
            where=folder,
            expected=f"one of {size[0]} x {size[1]} px, as in the first result",
            got=f"{frame.width} x {frame.height} px",
            remedy="look at results of one fixed slide together",
        )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
