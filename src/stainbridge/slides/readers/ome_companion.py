"""Parts of an OME-TIFF set, whose description lies in a file of its own beside them."""

from __future__ import annotations

import codecs
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import tifffile

from stainbridge.causes import describe_cause
from stainbridge.errors import InputError
from stainbridge.slides.readers.ome_xml import get_tag, parse_xml

#: A description of more bytes than this is not read.
LARGEST_BYTES = 64 * 2**20
#: Planes (channels x depths x times) that an OME-XML may declare.
MOST_PLANES = 100_000


def open_tiff_file(path: Path) -> tuple[tifffile.TiffFile, tuple[str, ...]]:
    """Open a TIFF, and where it is a part of a set, with the set's description.

    Returns the open file and what is missing, one line each.
    """
    tif = tifffile.TiffFile(path)
    try:
        return _open_with_description(tif, path)
    except BaseException:
        tif.close()
        raise


def _open_with_description(
    tif: tifffile.TiffFile, path: Path
) -> tuple[tifffile.TiffFile, tuple[str, ...]]:
    if tif.is_ome:
        check_plane_counts(tif.ome_metadata or "", path)
        if _has_negative_places(tif.ome_metadata or ""):
            return _open_plainly(tif, path, "a negative place of planes")
    name = _companion_name(tif)
    if name is None:
        return _open_without_bad_description(tif, path)
    companion = path.parent / Path(name.replace("\\", "/")).name
    if not companion.is_file():
        return tif, (f"a part of a set that '{name}' describes, which is not there: read alone",)
    tif.close()
    description = _read_description(companion)
    check_plane_counts(description, path)
    return tifffile.TiffFile(path, omexml=description), ()


def check_plane_counts(xml: str, path: Path) -> None:
    """Raise `InputError` for an OME-XML that declares more planes than any slide has.

    tifffile makes an entry for each of them before it looks into the file.
    """
    try:
        elements = list(parse_xml(xml).iter())
    except (ElementTree.ParseError, ValueError):
        return
    for element in elements:
        sizes = [_to_int(element.get(name)) for name in ("SizeC", "SizeZ", "SizeT")]
        count = max(math.prod(sizes), _to_int(element.get("PlaneCount")))
        if count > MOST_PLANES:
            raise InputError(
                "the OME-XML declares too many planes",
                where=path,
                expected=f"at most {MOST_PLANES}",
                got=count,
            )


def _to_int(text: str | None) -> int:
    """Return a whole number of at least 1; 1 for what is none, which is named elsewhere."""
    try:
        return max(1, int(text or 1))
    except ValueError:
        return 1


def _open_without_bad_description(
    tif: tifffile.TiffFile, path: Path
) -> tuple[tifffile.TiffFile, tuple[str, ...]]:
    """Return the file as it is, or as a plain TIFF where its OME-XML is damaged."""
    try:
        tif.series  # noqa: B018 - found when asked for the first time
    # tifffile converts attributes without looking at them
    except (
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        ZeroDivisionError,
        AttributeError,
    ) as error:
        if not tif.is_ome:
            raise
        return _open_plainly(tif, path, _one_line(error))
    return tif, ()


def _open_plainly(
    tif: tifffile.TiffFile, path: Path, reason: str
) -> tuple[tifffile.TiffFile, tuple[str, ...]]:
    tif.close()
    what = f"the OME-XML is damaged, so that pages count as they are: {reason}"
    return tifffile.TiffFile(path, is_ome=False), (what,)


def _has_negative_places(xml: str) -> bool:
    """Return whether planes are placed before the first, which tifffile counts from the last."""
    try:
        elements = list(parse_xml(xml).iter())
    except (ElementTree.ParseError, ValueError):
        return False
    placed = [element for element in elements if get_tag(element) == "TiffData"]
    return any(
        (element.get(name) or "").strip().startswith("-")
        for element in placed
        for name in ("IFD", "FirstC", "FirstZ", "FirstT")
    )


def _one_line(error: Exception) -> str:
    return describe_cause(error)[:120]


def _companion_name(tif: Any) -> str | None:
    """Return the name of the file that describes the set, None for a file that needs none."""
    if not tif.is_ome or "BinaryOnly" not in (tif.ome_metadata or ""):
        return None
    try:
        elements = list(parse_xml(tif.ome_metadata).iter())
    except (ElementTree.ParseError, ValueError):
        return None
    names = [each.get("MetadataFile") for each in elements if get_tag(each) == "BinaryOnly"]
    return names[0] if names else None


def _read_description(path: Path) -> str:
    """Return the OME-XML in a companion file, or in the first TIFF of the set."""
    with path.open("rb") as file:
        is_tiff = file.read(2) in (b"II", b"MM")
    if is_tiff:
        with tifffile.TiffFile(path) as first:
            return str(first.ome_metadata or "")
    if path.stat().st_size > LARGEST_BYTES:
        raise InputError("the description is too large", where=path, got=path.stat().st_size)
    data = path.read_bytes()
    is_utf_16 = data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return data.decode("utf-16" if is_utf_16 else "utf-8-sig")
