"""Write OME-XML for one picture: size, number type, pixel size, channels."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.slides.slide import SlideInfo

_NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
_SCHEMA = f"{_NAMESPACE} {_NAMESPACE}/ome.xsd"
_NUMBER_TYPES = {"float32": "float", "float64": "double"}


def make_ome_xml(frame: Frame, info: SlideInfo, name: str) -> bytes:
    """Return the description of an OME-TIFF, in ASCII.

    Its directory i is channel i, or its only directory is RGB.
    """
    root = ElementTree.Element(
        "OME",
        {
            "xmlns": _NAMESPACE,
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:schemaLocation": _SCHEMA,
            "Creator": "stainbridge",
        },
    )
    image = ElementTree.SubElement(root, "Image", {"ID": "Image:0", "Name": name})
    pixels = ElementTree.SubElement(image, "Pixels", _pixels(frame, info))
    for index, attributes in enumerate(_channels(info)):
        ElementTree.SubElement(pixels, "Channel", {"ID": f"Channel:0:{index}", **attributes})
    planes = range(1 if info.is_rgb else len(info.channels))
    for index in planes:
        ElementTree.SubElement(
            pixels, "TiffData", {"IFD": str(index), "FirstC": str(index), "PlaneCount": "1"}
        )
    if frame.origin_um != (0, 0):
        for index in planes:
            ElementTree.SubElement(pixels, "Plane", _plane(frame, index))
    return bytes(ElementTree.tostring(root, encoding="us-ascii", xml_declaration=True))


def _pixels(frame: Frame, info: SlideInfo) -> dict[str, str]:
    dtype = np.dtype(info.dtype).name
    attributes = {
        "ID": "Pixels:0",
        "DimensionOrder": "XYCZT",
        "Type": _NUMBER_TYPES.get(dtype, dtype),
        "SizeX": str(frame.width),
        "SizeY": str(frame.height),
        "SizeC": str(len(info.channels)),
        "SizeZ": "1",
        "SizeT": "1",
        "BigEndian": "false",
        "Interleaved": "true" if info.is_rgb else "false",
    }
    if frame.calibrated:
        for axis, mpp in zip("XY", frame.mpp, strict=True):
            attributes |= {
                f"PhysicalSize{axis}": repr(float(mpp)),
                f"PhysicalSize{axis}Unit": "\N{MICRO SIGN}m",
            }
    return attributes


def _plane(frame: Frame, channel: int) -> dict[str, str]:
    """Return a plane's place: the corner of its first pixel in the slide that it is a crop of."""
    unit = "\N{MICRO SIGN}m" if frame.calibrated else "pixel"
    attributes = {"TheZ": "0", "TheT": "0", "TheC": str(channel)}
    for axis, origin in zip("XY", frame.origin_um, strict=True):
        attributes |= {f"Position{axis}": repr(float(origin)), f"Position{axis}Unit": unit}
    return attributes


def _channels(info: SlideInfo) -> list[dict[str, str]]:
    if info.is_rgb:
        return [{"SamplesPerPixel": "3"}]
    return [
        {"Name": channel.name, "SamplesPerPixel": "1"}
        | ({} if channel.colour is None else {"Color": str(_to_signed_rgba(channel.colour))})
        for channel in info.channels
    ]


def _to_signed_rgba(colour: tuple[int, int, int]) -> int:
    """Return red, green, blue and full opacity as the signed 32-bit number that OME stores."""
    return int.from_bytes(bytes([*colour, 255]), "big", signed=True)
