"""No registration at all: the slides as their files lie on each other."""

from __future__ import annotations

from stainbridge.evaluate.methods.alignment import Alignment, Method
from stainbridge.geometry.placement import place_unregistered
from stainbridge.slides.slide import Slide


def align_unregistered(fixed: Slide, moving: Slide) -> Alignment:
    """Return the unregistered placement; see `place_unregistered`."""
    return Alignment(place_unregistered(fixed.frame.space, moving.frame.space))


METHODS = (Method("identity", "no registration: corner on corner", lambda: align_unregistered),)
