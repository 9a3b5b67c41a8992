"""Pictures as figures of an HTML page: a `data:` address with its size."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Literal

import PIL.Image

from stainbridge.imaging.pictures import Picture
from stainbridge.types import Points

#: Quality of JPEG pictures, 1 to 95: no artefacts are seen at this size.
JPEG_QUALITY = 84


@dataclass(frozen=True)
class Figure:
    """A picture of the page."""

    uri: str
    """Its `data:` address."""
    width: int
    """Its width in pixels."""
    height: int
    """Its height in pixels."""


def figure(picture: Picture) -> Figure:
    """Return the picture as a JPEG figure of its own size."""
    height, width = picture.shape[:2]
    return Figure(data_uri(picture), width, height)


def data_uri(picture: Picture, kind: Literal["jpeg", "png"] = "jpeg") -> str:
    """Encode the picture as a `data:` address that stands inside a page."""
    buffer = io.BytesIO()
    options = {"quality": JPEG_QUALITY, "optimize": True} if kind == "jpeg" else {"optimize": True}
    PIL.Image.fromarray(picture).save(buffer, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def svg_path(line: Points) -> str:
    """Return the polyline as the `d` attribute of an SVG path."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in line) if len(line) else ""
