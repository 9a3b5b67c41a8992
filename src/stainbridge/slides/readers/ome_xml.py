"""Read pixel size and channels from an OME-XML description."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

from stainbridge.slides.readers.pixel_size import Claim, to_um
from stainbridge.slides.slide import Channel


@dataclass(frozen=True)
class OmeImage:
    """One `Image` element of an OME-XML document."""

    size_px: tuple[int, int]
    """(width, height) in pixels."""
    claim: Claim | None
    """Its pixel size, None where it is not stated."""
    channels: tuple[Channel, ...]
    """Its channels, empty where there are none."""


def parse_ome_images(xml: str) -> tuple[OmeImage, ...]:
    """Return the images of an OME-XML document; none when it cannot be parsed."""
    try:
        root = ElementTree.fromstring(xml.strip().encode())
        return tuple(_image(pixels) for pixels in root.iter() if _tag(pixels) == "Pixels")
    except (ElementTree.ParseError, ValueError):
        return ()


def _image(pixels: ElementTree.Element) -> OmeImage:
    elements = [element for element in pixels if _tag(element) == "Channel"]
    channels = [channel for n, e in enumerate(elements) for channel in _channels(e, n)]
    size_px = (int(pixels.get("SizeX", 0)), int(pixels.get("SizeY", 0)))
    return OmeImage(size_px, _read_claim(pixels), tuple(channels))


def _channels(element: ElementTree.Element, index: int) -> tuple[Channel, ...]:
    name = element.get("Name") or f"Channel {index + 1}"
    samples = int(element.get("SamplesPerPixel", 1))
    if samples == 1:
        return (Channel(name, _colour(element.get("Color"))),)
    if samples == 3:
        return (Channel("R"), Channel("G"), Channel("B"))
    return tuple(Channel(f"{name} {sample + 1}") for sample in range(samples))


def _colour(text: str | None) -> tuple[int, int, int] | None:
    """Return (r, g, b) of the signed 32-bit number in which OME stores r, g, b and alpha."""
    if text is None:
        return None
    rgba = int(text) % 2**32
    return rgba >> 24, (rgba >> 16) % 256, (rgba >> 8) % 256


def _read_claim(pixels: ElementTree.Element) -> Claim | None:
    sizes = [
        to_um(float(value), pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        for axis in "XY"
        if (value := pixels.get(f"PhysicalSize{axis}")) is not None
    ]
    if len(sizes) != 2 or sizes[0] is None or sizes[1] is None:
        return None
    return Claim((sizes[0], sizes[1]), "OME PhysicalSize")


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
