"""How a slide is shown: its own colours, one stain of it, or its channels in chosen colours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from stainbridge.errors import InputError
from stainbridge.imaging.deconvolution import DAB, EOSIN, HAEMATOXYLIN, stain_densities
from stainbridge.imaging.pictures import CHANNEL_COLOURS, Picture
from stainbridge.slides.slide import Slide
from stainbridge.types import Pixels

Colour: TypeAlias = tuple[int, int, int]

#: The pairs of stains that a picture is separated into, by the stain that is shown.
STAINS = {
    "haematoxylin": (HAEMATOXYLIN, EOSIN, 0),
    "eosin": (HAEMATOXYLIN, EOSIN, 1),
    "dab": (HAEMATOXYLIN, DAB, 1),
    "counterstain": (HAEMATOXYLIN, DAB, 0),
}
#: The colour that each stain is shown in where none is chosen.
STAIN_COLOURS: dict[str, Colour] = {
    "haematoxylin": (58, 62, 150),
    "eosin": (214, 60, 132),
    "dab": (120, 66, 18),
    "counterstain": (58, 62, 150),
}
#: The optical density, to base 10, that is shown in the stain's full colour.
FULL_DENSITY = 1.0
#: Most channels that are shown at once.
MAX_CHANNELS = 64
#: Longest side of the overview that windows are measured on, in pixels.
WINDOW_PX = 512
_CHANNEL = re.compile(r"(\d{1,3}):([0-9a-fA-F]{6}):(-?[\d.eE+-]{1,24}):(-?[\d.eE+-]{1,24})")


@dataclass(frozen=True)
class ChannelView:
    """How one channel is shown."""

    index: int
    """Its number, from 0."""
    colour: Colour
    """The colour of `high`."""
    low: float
    """The value that is black."""
    high: float
    """The value that has the full colour."""


@dataclass(frozen=True)
class Rendering:
    """What is shown of a slide; without any choice, its own colours."""

    stain: str | None = None
    """One of `STAINS`, for 8-bit RGB."""
    colour: Colour | None = None
    """The colour of the stain; None: its usual one."""
    channels: tuple[ChannelView, ...] = ()
    """The channels that are shown, for slides that are not RGB."""


def parse_rendering(
    stain: str | None = None, colour: str | None = None, channels: str | None = None
) -> Rendering:
    """Return a rendering from the words of a URL.

    `channels` is `index:rrggbb:low:high`, with commas between. Raises `InputError` for others.
    """
    if stain is not None and stain not in STAINS:
        raise InputError("no such stain", expected=" | ".join(STAINS), got=stain)
    views = tuple(_parse_channel(word) for word in channels.split(",")) if channels else ()
    if len(views) > MAX_CHANNELS:
        raise InputError("too many channels", expected=f"<= {MAX_CHANNELS}", got=len(views))
    return Rendering(stain, None if colour is None else parse_colour(colour), views)


def parse_colour(text: str) -> Colour:
    """Return (r, g, b) of `rrggbb`; raises `InputError` for other text."""
    if not re.fullmatch("[0-9a-fA-F]{6}", text):
        raise InputError("not a colour", expected="rrggbb", got=text)
    return int(text[:2], 16), int(text[2:4], 16), int(text[4:], 16)


def _parse_channel(word: str) -> ChannelView:
    match = _CHANNEL.fullmatch(word)
    if match is None:
        raise InputError("not a channel", expected="index:rrggbb:low:high", got=word)
    try:
        low, high = float(match[3]), float(match[4])
    except ValueError as error:
        raise InputError("not a channel", expected="numbers low and high", got=word) from error
    if not (np.isfinite([low, high]).all() and low < high):
        raise InputError("not a window", expected="low < high", got=word)
    return ChannelView(int(match[1]), parse_colour(match[2]), low, high)


def render(pixels: Pixels, rendering: Rendering) -> Picture:
    """Return pixels (H, W, C) as RGB (H, W, 3).

    Raises `InputError` for a channel that the slide lacks, and a stain of what is no RGB.
    """
    channels_first = np.moveaxis(pixels, -1, 0)
    if rendering.stain is not None:
        return _render_stain(channels_first, rendering.stain, rendering.colour)
    if rendering.channels:
        return _render_channels(channels_first, rendering.channels)
    if pixels.shape[2] == 3 and pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    raise InputError("the slide is not RGB", expected="channels to show")


def _render_stain(rgb: Pixels, stain: str, colour: Colour | None) -> Picture:
    first, second, shown = STAINS[stain]
    density = stain_densities(rgb, first, second)[shown]
    share = np.clip(density / FULL_DENSITY, 0, 1)[..., None]
    full = np.array(colour or STAIN_COLOURS[stain], np.float32)
    return np.asarray(np.rint(255 + share * (full - 255)), np.uint8)


def _render_channels(pixels: Pixels, views: tuple[ChannelView, ...]) -> Picture:
    total = np.zeros((*pixels.shape[1:], 3), np.float32)
    for view in views:
        if view.index >= len(pixels):
            raise InputError("no such channel", expected=f"< {len(pixels)}", got=view.index)
        plane = pixels[view.index].astype(np.float32)
        share = np.clip((plane - view.low) / (view.high - view.low), 0, 1)
        total += share[..., None] * np.array(view.colour, np.float32)
    return np.asarray(np.clip(np.rint(total), 0, 255), np.uint8)


def choose_channel_views(slide: Slide) -> tuple[ChannelView, ...]:
    """Return how each channel of a slide is shown at first; nothing for RGB.

    Colours are the file's, else `CHANNEL_COLOURS`; a single channel is grey. Windows reach from
    the 1st to the 99.8th percentile of an overview.
    """
    if slide.info.is_rgb:
        return ()
    image = slide.read(slide.frame.fit(WINDOW_PX))
    return tuple(
        ChannelView(index, _choose_colour(slide, index), *_measure_window(plane[image.valid]))
        for index, plane in enumerate(image.pixels)
    )


def _choose_colour(slide: Slide, index: int) -> Colour:
    channels = slide.info.channels
    if len(channels) == 1:
        return (255, 255, 255)
    return channels[index].colour or CHANNEL_COLOURS[index % len(CHANNEL_COLOURS)]


def _measure_window(values: Pixels) -> tuple[float, float]:
    if not values.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(values.astype(np.float64), (1, 99.8)))
    return (low, high) if low < high else (low, low + 1)
