"""Slides: open one with `open_slide`, or make one of an array with `ArraySlide`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stainbridge.slides.open import open_slide
from stainbridge.slides.slide import Channel, Slide, SlideInfo

if TYPE_CHECKING:
    from stainbridge.slides.case import Case
    from stainbridge.slides.memory import ArraySlide

__all__ = ["ArraySlide", "Case", "Channel", "Slide", "SlideInfo", "open_slide"]


def __getattr__(name: str) -> Any:
    # these import OpenCV and codecs, so only when they are asked for
    if name == "ArraySlide":
        from stainbridge.slides.memory import ArraySlide

        return ArraySlide
    if name == "Case":
        from stainbridge.slides.case import Case

        return Case
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
