"""The ICC profile of a picture: kept where it describes RGB."""

from __future__ import annotations

#: Where a profile names its colour space, and that of RGB (ICC.1:2022, 7.2).
COLOUR_SPACE = slice(16, 20)
RGB_SPACE = b"RGB "


def keep_rgb_profile(profile: bytes | None) -> bytes | None:
    """Return a profile of RGB, None for any other: pixels of those are converted."""
    return profile if profile is not None and profile[COLOUR_SPACE] == RGB_SPACE else None
