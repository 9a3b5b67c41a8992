"""A folder that holds the files of one DICOM slide, a file for each level."""

from __future__ import annotations

import re
from pathlib import Path

from stainbridge.errors import InputError
from stainbridge.slides.readers.magic import is_dicom_file
from stainbridge.slides.readers.openslide_reader import open_vendor
from stainbridge.slides.slide import Slide

#: The file of a medium that lists all others (PS3.10, 8.6).
INDEX = "DICOMDIR"
#: Bytes of a file in which its series is named.
HEADER_BYTES = 2**16
#: The element SeriesInstanceUID (0020,000E), with its type written out, and its value.
SERIES = re.compile(rb"\x20\x00\x0e\x00UI(..)([0-9.]{1,64})", re.DOTALL)


def is_dicom_folder(path: Path, header: bytes) -> bool:
    """Return whether `path` is a folder with a DICOM file; `header` is that of a file."""
    return not header and path.is_dir() and any(map(_is_dicom, path.iterdir()))


def open_dicom_folder(path: Path, *, mpp: float | None = None, stain: str | None = None) -> Slide:
    """Open the slide whose levels are the DICOM files in a folder.

    Raises `InputError` where they are of several series, or no readable slide.
    """
    series: dict[bytes, Path] = {}
    for file in sorted(filter(_is_dicom, path.iterdir())):
        series.setdefault(_read_series(file), file)
    if len(series) > 1:
        raise InputError(
            "a folder with several DICOM series",
            where=path,
            expected="one",
            got=len(series),
            remedy=f"name a file of the one that is meant, such as {next(iter(series.values()))}",
        )
    return open_vendor(next(iter(series.values())), mpp=mpp, stain=stain)


def _is_dicom(path: Path) -> bool:
    """Return whether a file is DICOM, and not the list of the files beside it."""
    return path.name.upper() != INDEX and is_dicom_file(path)


def _read_series(path: Path) -> bytes:
    """Return the series that a file belongs to; empty where it does not say so in this way."""
    with path.open("rb") as file:
        found = SERIES.search(file.read(HEADER_BYTES))
    return found.group(2) if found else b""
