"""What OME-Zarr metadata (0.4, 0.5) says of an image: axes, levels, pixel size, channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stainbridge.errors import InputError
from stainbridge.slides.readers.channels import RGB, number_channels
from stainbridge.slides.readers.pixel_size import Claim, to_um
from stainbridge.slides.slide import Channel


@dataclass(frozen=True)
class Multiscale:
    """One image: a letter for each axis (of "tczyx", "s" for samples), its levels' paths, finest
    first.
    """

    axes: str
    paths: tuple[str, ...] = ()
    claim: Claim | None = None
    channels: tuple[Channel, ...] = ()

    def channels_for(
        self, count: int, dtype: np.dtype[Any], interleaved: bool
    ) -> tuple[Channel, ...]:
        """Names of `count` channels: an interleaved 8-bit three, or three named so, are a picture's
        R, G and B.
        """
        names = tuple(channel.name.lower() for channel in self.channels)
        is_rgb = interleaved or names in (("r", "g", "b"), ("red", "green", "blue"))
        if count == 3 and dtype == np.uint8 and is_rgb:
            return RGB
        return self.channels if len(self.channels) == count else number_channels(count)


def parse_multiscale(attributes: dict[str, Any]) -> Multiscale | None:
    """The first image of a group's attributes, None where they describe none or are damaged."""
    metadata = attributes.get("ome", attributes)
    try:
        scales = metadata["multiscales"][0]
        paths = tuple(str(level["path"]) for level in scales["datasets"])
        axes = "".join(_letter(axis) for axis in scales.get("axes", "tczyx"))
        return Multiscale(axes, paths, _claim(scales, axes), _channels(metadata)) if paths else None
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return None


def guess_axes(shape: tuple[int, ...], where: object) -> str:
    """The axes of an array without names. Raises `InputError` where they cannot be guessed."""
    if len(shape) == 3:
        return "yxs" if shape[2] in (3, 4) else "cyx"
    axes = {2: "yx", 4: "zcyx", 5: "tczyx"}.get(len(shape))
    if axes is None:
        raise InputError(
            "not a picture",
            where=where,
            expected="a Zarr array of 2 to 5 axes",
            got=f"shape {shape}",
        )
    return axes


def _letter(axis: Any) -> str:
    """Axes are objects since 0.4 and names before."""
    return str(axis["name"] if isinstance(axis, dict) else axis).lower()[:1]


def _claim(scales: dict[str, Any], axes: str) -> Claim | None:
    """Pixel size of the first level: its scale times that of the whole image, in the axes' units."""
    factors = [1.0] * len(axes)
    for holder in (scales["datasets"][0], scales):
        for step in holder.get("coordinateTransformations", ()):
            if step.get("type") == "scale":
                factors = [a * float(b) for a, b in zip(factors, step["scale"], strict=True)]
    sizes = []
    for letter in "xy":
        axis = scales["axes"][axes.index(letter)]
        unit = axis.get("unit") if isinstance(axis, dict) else None
        sizes.append(None if unit is None else to_um(factors[axes.index(letter)], str(unit)))
    return (
        None
        if sizes[0] is None or sizes[1] is None
        else Claim((sizes[0], sizes[1]), "OME-Zarr scale")
    )


def _channels(metadata: dict[str, Any]) -> tuple[Channel, ...]:
    listed = metadata.get("omero", {}).get("channels", ())
    return tuple(
        Channel(str(c.get("label", f"Channel {i + 1}")), _colour(c.get("color")))
        for i, c in enumerate(listed)
    )


def _colour(text: str | None) -> tuple[int, int, int] | None:
    """Six hexadecimal digits."""
    return None if text is None else (int(text[0:2], 16), int(text[2:4], 16), int(text[4:6], 16))
