"""Names of channels where a file gives none."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from stainbridge.errors import InputError
from stainbridge.slides.readers.resample import Interleaved
from stainbridge.slides.slide import Channel

RGB = (Channel("R"), Channel("G"), Channel("B"))
#: Names, in lower case, that say nothing: "Channel 1", "ch2", "0:1".
NUMBERED = re.compile(r"(channel|ch|c)?[\s_:-]*[\d:]*")
#: What lies between the words of a name.
NAME_PARTS = re.compile(r"[^a-z]+")
#: Names, in lower case, that planes of a colour picture have, in whatever order they are stored.
RGB_NAMES = (("r", "g", "b"), ("red", "green", "blue"))
#: Where red, green and blue are, in the usual order.
RGB_PLACES = (0, 1, 2)


def number_channels(count: int) -> tuple[Channel, ...]:
    """Return `count` channels: one is "grey", several are numbered from 1."""
    return (
        (Channel("grey"),)
        if count == 1
        else tuple(Channel(f"Channel {i + 1}") for i in range(count))
    )


def recognise_rgb(
    channels: tuple[Channel, ...], dtype: np.dtype[Any], is_bright: Callable[[], bool]
) -> tuple[tuple[Channel, ...], tuple[str, ...]]:
    """Return the channels of a picture stored as planes, and a warning where they were guessed.

    Three planes of 8 bits are red, green and blue where they are named so, or have no names and
    `is_bright`: fluorescence has a dark ground.
    """
    if len(channels) != 3 or channels == RGB or dtype != np.uint8:
        return channels, ()
    if find_rgb_places(channels) is not None:
        return RGB, ()
    if not are_unnamed(channels):
        return channels, ()
    if _holds(is_bright):
        return RGB, ("three planes without names are bright: they are read as red, green, blue",)
    return channels, ("three planes without names are dark: they are read as channels",)


def find_rgb_places(channels: tuple[Channel, ...]) -> tuple[int, ...] | None:
    """Return where red, green and blue are among channels; None where names do not say it.

    Names are those colours, or end so after the same words.
    """
    names = [channel.name.lower() for channel in channels]
    words = [NAME_PARTS.split(name)[-1] for name in names]
    before = {name.removesuffix(word) for name, word in zip(names, words, strict=True)}
    for colours in RGB_NAMES:
        if sorted(words) == sorted(colours) and len(before) == 1:
            return tuple(words.index(colour) for colour in colours)
    return None


def sort_rgb(pixels: Interleaved, places: tuple[int, ...] | None) -> Interleaved:
    """Return (H, W, C) whose red, green and blue were at `places`, in that order."""
    if places is None or places == RGB_PLACES:
        return pixels
    return np.ascontiguousarray(pixels[..., list(places)])


def are_unnamed(channels: tuple[Channel, ...]) -> bool:
    """Return whether the names of channels say nothing."""
    return all(NUMBERED.fullmatch(channel.name.lower()) for channel in channels)


def _holds(is_bright: Callable[[], bool]) -> bool:
    try:
        return is_bright()
    except InputError:  # damage is named when the place is read
        return False
