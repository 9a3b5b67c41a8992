"""Read OME-Zarr metadata (0.4, 0.5): axes, levels, pixel size, channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stainbridge.errors import InputError
from stainbridge.slides.readers.channels import RGB, are_unnamed, number_channels
from stainbridge.slides.readers.pixel_size import Claim, to_um
from stainbridge.slides.slide import Channel


@dataclass(frozen=True)
class Multiscale:
    """One image of an OME-Zarr, as its metadata describes it."""

    axes: str
    """A letter for each axis: of "tczyx", and "s" for samples."""
    paths: tuple[str, ...] = ()
    """Paths of its levels' arrays, finest first."""
    claim: Claim | None = None
    """Its pixel size, where stated."""
    channels: tuple[Channel, ...] = ()
    """Its channels, where named."""

    def channels_for(
        self, count: int, dtype: np.dtype[Any], interleaved: bool
    ) -> tuple[Channel, ...]:
        """Return `count` channels.

        Three of 8 bits that are interleaved and have no names are the R, G and B of a picture.
        """
        is_named = len(self.channels) == count and not are_unnamed(self.channels)
        if count == 3 and dtype == np.uint8 and interleaved and not is_named:
            return RGB
        return self.channels if len(self.channels) == count else number_channels(count)


def parse_multiscale(attributes: dict[str, Any]) -> Multiscale | None:
    """Return the first image of a group's attributes, None where there is none or it is damaged."""
    metadata = attributes.get("ome", attributes)
    try:
        scales = metadata["multiscales"][0]
        paths = tuple(str(level["path"]) for level in scales["datasets"])
        axes = "".join(_letter(axis) for axis in scales.get("axes", "tczyx"))
        return (
            Multiscale(axes, paths, _read_claim(scales, axes), _channels(metadata))
            if paths
            else None
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return None


def guess_axes(shape: tuple[int, ...], where: object) -> str:
    """Return the axes of an array without names; raise `InputError` where they are not clear."""
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
    """Return an axis' letter; axes are objects since 0.4 and names before."""
    return str(axis["name"] if isinstance(axis, dict) else axis).lower()[:1]


def _read_claim(scales: dict[str, Any], axes: str) -> Claim | None:
    """Return the first level's pixel size: its scale times the image's, in the axes' units."""
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
    """Return the colour (r, g, b) of six hexadecimal digits."""
    return None if text is None else (int(text[0:2], 16), int(text[2:4], 16), int(text[4:6], 16))
