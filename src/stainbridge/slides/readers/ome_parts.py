"""Name the other files of a slide that is several OME-TIFF files."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import tifffile

from stainbridge.slides.readers.ome_xml import get_tag, parse_xml

#: How names of files with the description of a set end.
COMPANION = ".companion.ome"


def list_ome_parts(path: Path) -> tuple[Path, ...]:
    """Return the files that the OME-XML of a TIFF names, without the TIFF itself.

    They lie beside it, whether they exist or not. What is no OME-TIFF has none.
    """
    try:
        with tifffile.TiffFile(path) as tif:
            xml = tif.ome_metadata if tif.is_ome else None
    # tifffile raises nearly anything for damage; opening the slide says what is wrong
    except Exception:
        return ()
    names = _list_names(xml or "")
    for companion in [name for name in names if name.endswith(COMPANION)]:
        names |= _list_names(_read_text(path.parent / companion))
    return tuple(path.parent / name for name in sorted(names - {path.name}))


def _list_names(xml: str) -> set[str]:
    """Return the names of files in an OME-XML, without folders."""
    try:
        elements = list(parse_xml(xml).iter())
    except (ElementTree.ParseError, ValueError):
        return set()
    named = [
        element.get("FileName") if get_tag(element) == "UUID" else element.get("MetadataFile")
        for element in elements
    ]
    return {Path(name.replace("\\", "/")).name for name in named if name}


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
