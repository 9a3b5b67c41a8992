"""Read pixel size and channels from an OME-XML description."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar
from xml.etree import ElementTree

from stainbridge.slides.readers.pixel_size import Claim, to_um
from stainbridge.slides.slide import Channel

T = TypeVar("T")
#: Samples of one channel; more are damage.
MOST_SAMPLES = 64


@dataclass(frozen=True)
class OmeImage:
    """One `Image` element of an OME-XML document."""

    size_px: tuple[int, int]
    """(width, height) in pixels."""
    claim: Claim | None
    """Its pixel size, None where it is not stated."""
    channels: tuple[Channel, ...]
    """Its channels, empty where there are none."""
    warnings: tuple[str, ...] = ()
    """Attributes that are damaged and left out, one line each."""


def parse_xml(xml: str) -> ElementTree.Element:
    """Return the root of a description; the encoding that it declares is that of another file.

    Raises `ElementTree.ParseError`.
    """
    return ElementTree.fromstring(xml.strip().strip("\ufeff\x00"))


def parse_ome_images(xml: str) -> tuple[OmeImage, ...]:
    """Return the images of an OME-XML document; none when it cannot be parsed.

    A damaged attribute is left out and named in the image's `warnings`.
    """
    try:
        root = parse_xml(xml)
    except (ElementTree.ParseError, ValueError):
        return ()
    return tuple(_image(pixels) for pixels in root.iter() if get_tag(pixels) == "Pixels")


@dataclass
class _Attributes:
    """Reads attributes of elements and collects those that are damaged."""

    warnings: list[str] = field(default_factory=list)

    def get(
        self, element: ElementTree.Element, name: str, convert: Callable[[str], T], default: T
    ) -> T:
        """Return a converted attribute, `default` where it is missing or damaged."""
        text = element.get(name)
        if text is None:
            return default
        try:
            return convert(text)
        except (ValueError, OverflowError):
            self.warnings.append(f"OME {get_tag(element)} {name} '{text[:40]}' is not read")
            return default


def _image(pixels: ElementTree.Element) -> OmeImage:
    read = _Attributes()
    elements = [element for element in pixels if get_tag(element) == "Channel"]
    channels = [channel for n, e in enumerate(elements) for channel in _channels(e, n, read)]
    size_px = (read.get(pixels, "SizeX", int, 0), read.get(pixels, "SizeY", int, 0))
    return OmeImage(
        size_px, _read_claim(pixels, read), tuple(channels), tuple(dict.fromkeys(read.warnings))
    )


def _channels(element: ElementTree.Element, index: int, read: _Attributes) -> tuple[Channel, ...]:
    name = element.get("Name") or f"Channel {index + 1}"
    samples = read.get(element, "SamplesPerPixel", _to_count, 1)
    if samples == 1:
        return (Channel(name, read.get(element, "Color", _to_colour, None)),)
    if samples == 3:
        return (Channel("R"), Channel("G"), Channel("B"))
    return tuple(Channel(f"{name} {sample + 1}") for sample in range(samples))


def _to_count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= MOST_SAMPLES:
        raise ValueError(text)
    return count


def _to_colour(text: str) -> tuple[int, int, int] | None:
    """Return (r, g, b) of the signed 32-bit number in which OME stores r, g, b and alpha."""
    rgba = int(text) % 2**32
    return rgba >> 24, (rgba >> 16) % 256, (rgba >> 8) % 256


def _read_claim(pixels: ElementTree.Element, read: _Attributes) -> Claim | None:
    sizes = []
    for axis in "XY":
        value = read.get(pixels, f"PhysicalSize{axis}", float, None)
        unit = read.get(pixels, f"PhysicalSize{axis}Unit", _to_known_unit, "")
        unit = unit if f"PhysicalSize{axis}Unit" in pixels.attrib else "µm"
        sizes.append(None if value is None else to_um(value, unit))
    if sizes[0] is None or sizes[1] is None:
        return None
    return Claim((sizes[0], sizes[1]), "OME PhysicalSize")


def _to_known_unit(text: str) -> str:
    if to_um(1.0, text) is None:
        raise ValueError(text)
    return text


def get_tag(element: ElementTree.Element) -> str:
    """Return an element's name without its namespace."""
    return element.tag.rpartition("}")[2]
