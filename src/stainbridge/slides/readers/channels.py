"""Names of channels where a file gives none."""

from __future__ import annotations

from stainbridge.slides.slide import Channel

RGB = (Channel("R"), Channel("G"), Channel("B"))


def number_channels(count: int) -> tuple[Channel, ...]:
    """Return `count` channels: one is "grey", several are numbered from 1."""
    return (
        (Channel("grey"),)
        if count == 1
        else tuple(Channel(f"Channel {i + 1}") for i in range(count))
    )
