"""No registration: the slices as given."""

from __future__ import annotations

from stainbridge.evaluate.methods.alignment import Alignment
from stainbridge.evaluate.methods.unregistered import align_unregistered
from stainbridge.evaluate.slices.method import LoadedMethod, SliceMethod
from stainbridge.registration.sections.density import Masks
from stainbridge.slides.slide import Slide


def _align(fixed: Slide, moving: Slide, masks: Masks) -> Alignment:  # noqa: ARG001
    return align_unregistered(fixed, moving)


METHODS = (SliceMethod("identity", "the slices as given", lambda: LoadedMethod(_align)),)
