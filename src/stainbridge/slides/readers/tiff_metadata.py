"""Read what a TIFF says of itself: format, vendor, pixel size, channels."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from stainbridge.slides.readers.channels import RGB, number_channels
from stainbridge.slides.readers.ome_xml import OmeImage, parse_ome_images, parse_xml
from stainbridge.slides.readers.pixel_size import (
    UM_PER_INCH,
    Claim,
    claim_from_objective,
    claim_from_resolution,
    to_um,
)
from stainbridge.slides.readers.tiff_layout import PlaneRef
from stainbridge.slides.slide import Channel

#: Values of the tag ResolutionUnit.
INCH = 2
#: µm in each unit of that tag; ImageJ and others write the last two, which TIFF 6.0 lacks.
UM_PER_RESOLUTION_UNIT = {INCH: UM_PER_INCH, 3: 1e4, 4: 1e3, 5: 1.0}


def name_format_and_vendor(tif: Any) -> tuple[str, str | None]:
    """Return the names of the flavour of TIFF and of the scanner's maker."""
    if tif.is_ome:
        return "OME-TIFF", None
    if tif.is_qpi:
        return "QPTIFF", "akoya"
    if tif.is_svs:
        return "SVS", "aperio"
    if tif.is_imagej:
        return "ImageJ TIFF", None
    return "TIFF", None


def find_pixel_size_claim(tif: Any, page: Any) -> Claim | None:
    """Return the most trustworthy of the file's statements of the pixel size of `page`.

    None when there is none.
    """
    image = find_ome_image(tif, page)
    if image is not None and image.claim is not None:
        return image.claim
    described = _aperio_claim(page.description or "") if tif.is_svs else None
    if described is not None:
        return described
    x, y = (_ratio(page, tag) for tag in ("XResolution", "YResolution"))
    if tif.is_imagej:
        unit_um = to_um(1.0, _unescape(str((tif.imagej_metadata or {}).get("unit", ""))))
        return (
            None
            if unit_um is None or not x or not y
            else Claim((unit_um / x, unit_um / y), "ImageJ resolution")
        )
    unit_um = UM_PER_RESOLUTION_UNIT.get(int(page.tags.valueof("ResolutionUnit", INCH)))
    return None if unit_um is None else claim_from_resolution(x, y, unit_um, "TIFF resolution")


def describe_channels(
    tif: Any, pages: tuple[PlaneRef, ...], count: int, is_colour: bool
) -> tuple[Channel, ...]:
    """Return names and colours of the `count` channels that `pages` hold."""
    if is_colour and count == 3:
        return RGB
    if tif.is_qpi and len(pages) == count:
        return tuple(_qpi_channel(p.page.description or "", i) for i, p in enumerate(pages))
    image = find_ome_image(tif, pages[0].page.keyframe)
    if image is not None and len(image.channels) == count:
        return image.channels
    return number_channels(count)


def find_ome_image(tif: Any, page: Any) -> OmeImage | None:
    """Return what an OME-TIFF's description says of the image that a page belongs to.

    Images are told apart by their place in the file, else by their size.
    """
    first = tif.pages.first.description or ""
    xml = tif.ome_metadata if tif.is_ome else first if first.rstrip().endswith("OME>") else None
    if xml is None:
        return None
    images = parse_ome_images(xml)
    if len(images) == len(tif.series):
        for image, series in zip(images, tif.series, strict=True):
            if series.keyframe is page:
                return image
    size = (int(page.imagewidth), int(page.imagelength))
    return next((image for image in images if image.size_px == size), None)


def _aperio_claim(description: str) -> Claim | None:
    """Return `MPP` of an Aperio description, else the usual one of its objective, `AppMag`."""
    values = dict(re.findall(r"\b(MPP|AppMag)\s*=\s*([0-9.]+)", description))
    if "MPP" in values:
        return Claim((float(values["MPP"]), float(values["MPP"])), "Aperio MPP")
    return claim_from_objective(float(values["AppMag"])) if "AppMag" in values else None


def _ratio(page: Any, tag: str) -> float:
    """Return a rational tag's value, 0 when it is absent or not a number."""
    numerator, denominator = page.tags.valueof(tag, (0, 1))
    return numerator / denominator if denominator else 0.0


def _unescape(unit: str) -> str:
    """Return a unit with µ, which ImageJ writes as an escape."""
    return unit.replace("\\u00B5", "µ").replace("\\u00b5", "µ")


def _qpi_channel(description: str, index: int) -> Channel:
    """Return the name and colour in a QPTIFF page's XML."""
    try:
        root = parse_xml(description)
    except (ElementTree.ParseError, ValueError):
        return Channel(f"Channel {index + 1}")
    name = root.findtext("Name") or f"Channel {index + 1}"
    rgb = [int(part) for part in re.findall(r"\d+", root.findtext("Color") or "")]
    return Channel(name, (rgb[0], rgb[1], rgb[2]) if len(rgb) == 3 else None)
