"""The slides of a stored registration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stainbridge.errors import InputError, MissingFileError
from stainbridge.jobs.files.outputs import Inputs

if TYPE_CHECKING:
    from stainbridge.registration.store import StoredRegistration
    from stainbridge.slides.slide import Slide


def warp_inputs(result: Path, stored: StoredRegistration, *files: Path | None) -> Inputs:
    """Return what warping reads: the result, its slides, and `files`."""
    return Inputs(files=(*files, stored.fixed_path, stored.moving_path), results=(result,))


def open_moving_slide(stored: StoredRegistration, path: Path | None) -> Slide:
    """Open the registered moving slide with the pixel size it was registered with.

    `path` says where it is now; None takes the recorded path. Raises `InputError` when it is not
    there or is not the slide that was registered.
    """
    from stainbridge.slides.open import open_slide

    registered = stored.registration.moving
    path = path or stored.moving_path
    if path is None:
        raise InputError(
            "the record does not say where the moving slide is", remedy="add --moving SLIDE"
        )
    if not path.exists():
        raise MissingFileError(
            "the moving slide is not there",
            where=path,
            remedy="say where it is with --moving SLIDE",
        )
    is_square = registered.calibrated and registered.mpp[0] == registered.mpp[1]
    slide = open_slide(path, mpp=registered.mpp[0] if is_square else None)
    size = (slide.frame.width, slide.frame.height)
    expected = (registered.width, registered.height)
    if size != expected:
        slide.close()
        raise InputError(
            "not the slide that was registered", where=path, expected=f"{expected} px", got=size
        )
    return slide
