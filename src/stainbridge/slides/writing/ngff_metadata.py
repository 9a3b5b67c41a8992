"""Describe an OME-Zarr: NGFF 0.5 (https://ngff.openmicroscopy.org/0.5/) in Zarr 3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.slides.readers.icc import to_zarr_attributes
from stainbridge.slides.slide import Channel, SlideInfo
from stainbridge.slides.writing.pyramid import Pyramid, Reduction

NGFF_VERSION = "0.5"
#: Colours of a picture's channels, and of channels that have none.
RGB_COLOURS = ("FF0000", "00FF00", "0000FF")
NO_COLOUR = "FFFFFF"
#: What the levels are made by, in the words of NGFF's examples.
LEVEL_TYPES: dict[Reduction, str] = {"mean": "local mean", "nearest": "nearest"}


@dataclass(frozen=True)
class ArrayLayout:
    """How the array (C, H, W) of a level is stored."""

    shape: tuple[int, int, int]
    """Its size."""
    chunk: tuple[int, int, int]
    """Size of what is compressed and read at once."""
    shard: tuple[int, int, int]
    """Size of what lies in one file, a multiple of `chunk`."""
    dtype: np.dtype[np.generic]
    """Type of its pixels."""
    background: int
    """The value of pixels that are not stored."""
    compressors: tuple[dict[str, Any], ...]
    """The codecs of Zarr 3 that come after the bytes."""


def describe_array(layout: ArrayLayout) -> dict[str, Any]:
    """Return the `zarr.json` of a level."""
    little = {"name": "bytes", "configuration": {"endian": "little"}}
    sharding = {
        "chunk_shape": list(layout.chunk),
        "codecs": [little, *layout.compressors],
        "index_codecs": [little, {"name": "crc32c"}],
        "index_location": "end",
    }
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(layout.shape),
        "data_type": layout.dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(layout.shard)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": layout.background,
        "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
        "attributes": {},
        "dimension_names": ["c", "y", "x"],
    }


def describe_image(
    frame: Frame,
    info: SlideInfo,
    pyramid: Pyramid,
    name: str,
    reduction: Reduction,
    ranges: tuple[tuple[float, float], ...],
) -> dict[str, Any]:
    """Return the `zarr.json` of the group; `ranges` are each channel's least and largest value.

    Its coordinates are those of the slide: a crop is moved to where it lies. Level 1 begins half a
    pixel further, as coordinates are those of pixel centres.
    """
    unit = {"unit": "micrometer"} if frame.calibrated else {}
    space = [{"name": axis, "type": "space", **unit} for axis in "yx"]
    scales = {
        "name": name,
        "axes": [{"name": "c", "type": "channel"}, *space],
        "datasets": [
            {"path": str(level), "coordinateTransformations": _place_level(frame, pyramid, level)}
            for level in range(len(pyramid.sizes))
        ],
        "type": LEVEL_TYPES[reduction],
    }
    ome = {"version": NGFF_VERSION, "multiscales": [scales], "omero": _describe(info, ranges)}
    attributes = {"ome": ome, **to_zarr_attributes(info.icc_profile)}
    return {"zarr_format": 3, "node_type": "group", "attributes": attributes}


def _place_level(frame: Frame, pyramid: Pyramid, level: int) -> list[dict[str, Any]]:
    """Return the scale and the place of a level's first pixel, in the order c, y, x."""
    factors = (_factor(pyramid, level, 0), _factor(pyramid, level, 1))
    mpp = frame.mpp[::-1]
    origin = frame.origin_um[::-1]
    scale = [size * factor for size, factor in zip(mpp, factors, strict=True)]
    place = [
        start + size * (factor - 1) / 2
        for start, size, factor in zip(origin, mpp, factors, strict=True)
    ]
    return [
        {"type": "scale", "scale": [1.0, *map(float, scale)]},
        {"type": "translation", "translation": [0.0, *map(float, place)]},
    ]


def _factor(pyramid: Pyramid, level: int, axis: int) -> int:
    """Return how many full-resolution pixels one of a level covers; a side of one pixel stays."""
    halved = sum(size[axis] > 1 for size in pyramid.sizes[:level])
    return int(2**halved)


def _describe(info: SlideInfo, ranges: tuple[tuple[float, float], ...]) -> dict[str, Any]:
    """Return how channels are called and shown."""
    dtype = np.dtype(info.dtype)
    channels = [
        {
            "label": channel.name,
            "color": RGB_COLOURS[i] if info.is_rgb else _to_hex(channel),
            "window": _window(dtype, ranges[i], is_rgb=info.is_rgb),
            "active": True,
            "coefficient": 1,
            "family": "linear",
            "inverted": False,
        }
        for i, channel in enumerate(info.channels)
    ]
    return {"channels": channels, "rdefs": {"defaultT": 0, "defaultZ": 0, "model": "color"}}


def _to_hex(channel: Channel) -> str:
    return NO_COLOUR if channel.colour is None else bytes(channel.colour).hex().upper()


def _window(dtype: np.dtype[Any], values: tuple[float, float], *, is_rgb: bool) -> dict[str, float]:
    """Return the values that are possible, and those that black and the full colour stand for."""
    low, high = values
    if dtype.kind == "f":
        least, most = low, high
    else:
        least, most = float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    if is_rgb or low == high:
        low, high = least, most
    return {"min": least, "max": most, "start": low, "end": high}
