"""The ICC profile of a picture: kept where it describes RGB."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

#: The attribute of an OME-Zarr's group that holds a profile in base64; NGFF has no place for one.
ZARR_PROFILE = "stainbridge-icc-profile"
#: Where a profile names its colour space, and that of RGB (ICC.1:2022, 7.2).
COLOUR_SPACE = slice(16, 20)
RGB_SPACE = b"RGB "


def keep_rgb_profile(profile: bytes | None) -> bytes | None:
    """Return a profile of RGB, None for any other: pixels of those are converted."""
    return profile if profile is not None and profile[COLOUR_SPACE] == RGB_SPACE else None


def to_zarr_attributes(profile: bytes | None) -> dict[str, Any]:
    """Return the attributes of an OME-Zarr's group that keep a profile; none without one."""
    return {} if profile is None else {ZARR_PROFILE: base64.b64encode(profile).decode("ascii")}


def from_zarr_attributes(attributes: Mapping[str, Any]) -> bytes | None:
    """Return the profile in a group's attributes; None where there is none or it is damaged."""
    text = attributes.get(ZARR_PROFILE)
    if not isinstance(text, str):
        return None
    try:
        return keep_rgb_profile(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return None
