"""The slides of a stored registration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stainbridge.errors import InputError, MissingFileError
from stainbridge.jobs.files.outputs import Inputs
from stainbridge.progress import Note, ignore_note

if TYPE_CHECKING:
    from stainbridge.registration.store import StoredRegistration
    from stainbridge.slides.slide import Slide


def warp_inputs(result: Path, stored: StoredRegistration, *files: Path | None) -> Inputs:
    """Return what warping reads: the result, its slides, and `files`."""
    return Inputs(files=(*files, stored.fixed_path, stored.moving_path), results=(result,))


def load_result(result: Path, note: Note = ignore_note) -> StoredRegistration:
    """Load a registration; `note` is told what speaks against it.

    That is a record without digests, and slides that are others now. Raises `InputError` for files
    that are missing, damaged, or not those that were written together.
    """
    from stainbridge.registration.digest import has_changed
    from stainbridge.registration.store import load_stored

    stored = load_stored(result)
    if not stored.is_sealed:
        note(f"note: {result}: written by an earlier version, so its files cannot be checked")
    registration = stored.registration
    for side, path in (("fixed", stored.fixed_path), ("moving", stored.moving_path)):
        if path is not None and has_changed(path, registration.fingerprints.get(side)):
            note(f"warning: {path}: no longer the {side} slide that was registered")
    return stored


def open_moving_slide(
    stored: StoredRegistration, path: Path | None, note: Note = ignore_note
) -> Slide:
    """Open the registered moving slide with the pixel size it was registered with.

    `path` says where it is now; None takes the recorded path. Raises `InputError` when it is not
    there or is not the slide that was registered. A `path` that is given may be another file of
    the same size, such as a converted one; `note` is told so.
    """
    from stainbridge.registration.digest import check_fingerprint, has_changed
    from stainbridge.slides.open import open_slide

    given = path is not None

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
    expected_print = stored.registration.fingerprints.get("moving")
    if not given:
        check_fingerprint(path, expected_print, "moving")
    elif has_changed(path, expected_print):
        note(f"note: {path}: another file than the one that was registered")
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
