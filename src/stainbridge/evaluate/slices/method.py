"""What a method for slices is: two slides and their masks in, an `Alignment` out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from stainbridge.evaluate.methods.alignment import Alignment, need_nothing
from stainbridge.imaging.image import Image
from stainbridge.registration.sections.density import Masks
from stainbridge.slides.slide import Slide
from stainbridge.types import Plane

#: Fixed slide, moving slide and their masks in, alignment out. The slides lie about on each other
#: as given. An exception counts as a failure with its message as the reason.
SliceAlign: TypeAlias = Callable[[Slide, Slide, Masks], Alignment]
#: Moving slide and its mask in, (H, W) from 0 to 1 out: what the fixed slide would look like, on
#: all of the moving slide at any resolution.
Synthesise: TypeAlias = Callable[[Slide, Image | None], Plane]


@dataclass(frozen=True, eq=False)
class LoadedMethod:
    """A method with its libraries and weights loaded."""

    align: SliceAlign
    """The call that is timed."""
    synthesise: Synthesise | None = None
    """Shows what the method made of the moving slide; None where it makes nothing."""


@dataclass(frozen=True)
class SliceMethod:
    """A registration method that is run on every case."""

    name: str
    """What `--methods` calls it, and rows."""
    description: str
    """What it is, in one line."""
    load: Callable[[], LoadedMethod]
    """Imports what the method needs and reads its weights."""
    read_settings: Callable[[], dict[str, Any]] = dict
    """Returns what the result depends on beside the slides: other settings are another method."""
    check: Callable[[], None] = need_nothing
    """Raises an `InputError` that says what to install when something is missing."""
