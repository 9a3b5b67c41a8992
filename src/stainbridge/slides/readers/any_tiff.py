"""A TIFF is opened by tifffile or by OpenSlide, whichever reads its flavour better."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from stainbridge.errors import InputError
from stainbridge.slides.readers.openslide_reader import detect_vendor, open_vendor
from stainbridge.slides.readers.tiff_reader import open_tiff
from stainbridge.slides.slide import Slide

#: OpenSlide's name of plain tiled TIFF. tifffile gives the same pixels three times as fast, and
#: knows more of the file.
GENERIC = "generic-tiff"
#: Aperio's TIFF is also faster through tifffile. Files with tiles left out, or in Aperio's own
#: JPEG 2000, are better read by OpenSlide.
APERIO = "aperio"


def open_any_tiff(path: Path, *, mpp: float | None = None, stain: str | None = None) -> Slide:
    """Open a TIFF of any flavour.

    Raises `InputError`, OpenSlide's for a vendor's flavour, when neither library reads it.
    """
    vendor = detect_vendor(path)
    if vendor in (None, GENERIC):
        return open_tiff(path, mpp=mpp, stain=stain)
    if vendor == APERIO:
        with suppress(InputError):
            return open_tiff(path, mpp=mpp, stain=stain, sparse=False)
    try:
        return open_vendor(path, mpp=mpp, stain=stain)
    except InputError as refusal:
        # OpenSlide does not read fluorescence in a vendor's TIFF
        with suppress(InputError):
            return open_tiff(path, mpp=mpp, stain=stain)
        raise refusal
