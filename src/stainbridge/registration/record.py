"""The files of a result folder: `registration.json` and `transform.h5`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stainbridge.errors import InputError, MissingFileError
from stainbridge.fingerprint import fingerprint
from stainbridge.geometry.files import write_transform
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.itk import itk_spacing
from stainbridge.geometry.piecewise import Piecewise
from stainbridge.geometry.transform import Transform
from stainbridge.json_values import format_json
from stainbridge.registration.digest import (
    DIGEST,
    PIECES_DIGEST,
    TRANSFORM_DIGEST,
    digest_record,
    hash_file,
)
from stainbridge.registration.pieces.store import remove_pieces, write_pieces
from stainbridge.slides.slide import Slide
from stainbridge.whole import whole_file

#: The record of a result folder.
RECORD = "registration.json"
#: The transform of a result folder.
TRANSFORM = "transform.h5"


def write_result(directory: Path, record: dict[str, Any], transform: Transform | None) -> None:
    """Write the record and, where there is one, the transform and its pieces into a folder.

    The folder is made if need be. Earlier files of these names are replaced. The record is removed
    first and written last, so that it never stands beside another run's transform. It has digests
    of the transform and of itself (see `registration.digest`). Raises
    `InputError` when the folder cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in (RECORD, TRANSFORM):
            (directory / name).unlink(missing_ok=True)
        remove_pieces(directory)
    except OSError as error:
        raise InputError(f"cannot write there: {error.strerror}", where=directory) from error
    if transform is not None:
        write_transform(directory / TRANSFORM, transform)
        record = {**record, TRANSFORM_DIGEST: hash_file(directory / TRANSFORM)}
    if isinstance(transform, Piecewise):
        record = {**record, PIECES_DIGEST: write_pieces(directory, transform)}
    text = format_json({**record, DIGEST: digest_record(record)})
    with whole_file(directory / RECORD) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_record(directory: Path) -> dict[str, Any]:
    """Read the record of a result folder.

    Raises `InputError` where there is none, or where it is no JSON object.
    """
    path = directory / RECORD
    if not path.is_file():
        got = "no registration.json in it" if directory.is_dir() else "no such folder"
        if directory.is_file():
            got = "a file"
        raise MissingFileError(
            "not a registration's folder",
            where=directory,
            got=got,
            remedy="run stainbridge register",
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            "the record is damaged", where=path, expected="JSON", remedy="register again"
        ) from error
    if not isinstance(content, dict):
        raise InputError(
            "the record is damaged",
            where=path,
            expected="a JSON object",
            got=json.dumps(content)[:40],
        )
    return content


def describe_source(frame: Frame, slide: Slide | Path | str | None) -> dict[str, Any]:
    """Return a slide's entry in a record: where it is, its file, its size, its pixel size."""
    path = None if slide is None else _location(slide)
    return {
        "path": path,
        "file": None if path is None else _describe_file(Path(path)),
        "name": frame.label,
        "width": frame.width,
        "height": frame.height,
        "mpp": list(frame.mpp),
        "calibrated": frame.calibrated,
        "bounds_px": list(slide.info.bounds_px) if isinstance(slide, Slide) else [0, 0],
        "itk_spacing": list(itk_spacing(frame)),
    }


def _describe_file(path: Path) -> dict[str, Any] | None:
    """Return what tells a slide's file from another one; None where there is no such file."""
    if not path.exists():
        return None
    facts = path.stat()
    return {
        "bytes": facts.st_size,
        "changed_ns": facts.st_mtime_ns,
        "fingerprint": fingerprint(path),
    }


def _location(slide: Slide | Path | str) -> str | None:
    """Return the absolute path of a slide's file; None for a slide that has none."""
    if not isinstance(slide, Slide):
        return str(Path(slide).absolute())
    path = Path(slide.info.path)
    return str(path.absolute()) if path.exists() else None
