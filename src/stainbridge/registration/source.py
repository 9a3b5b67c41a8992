"""Open a slide that was registered, and nothing that has come in its place."""

from __future__ import annotations

import copy
from pathlib import Path

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.registration.digest import check_fingerprint
from stainbridge.slides.open import open_slide
from stainbridge.slides.slide import Slide


def open_registered(
    source: Slide | Path | None, frame: Frame, side: str, fingerprint: str | None
) -> Slide:
    """Open the slide of a side, "fixed" or "moving"; the caller closes it.

    `frame` is its full-resolution frame, and `fingerprint` told its file when it was registered.
    Raises `InputError` where it is not known where the slide is, and where it is another one now.
    """
    if source is None:
        raise InputError(f"it is not known where the {side} slide is", remedy="hand the slide in")
    if isinstance(source, Path):
        check_fingerprint(source, fingerprint, side)
    slide = _open_source(source, frame)
    size = (slide.frame.width, slide.frame.height)
    if size != (frame.width, frame.height):
        slide.close()
        raise InputError(
            f"the {side} slide is not the one that was registered",
            where=slide.info.path,
            expected=f"{frame.width} x {frame.height} px",
            got=f"{size[0]} x {size[1]} px",
        )
    return slide


def _open_source(source: Slide | Path, frame: Frame) -> Slide:
    """Open a slide at the pixel size that it was registered with; a slide is opened once more."""
    if not isinstance(source, Path):
        return copy.copy(source)
    slide = open_slide(source)
    if not frame.calibrated or slide.frame.mpp == frame.mpp:
        return slide
    slide.close()
    return open_slide(source, mpp=frame.mpp[0])
