"""Small pictures of cases for a list."""

from __future__ import annotations

from stainbridge.imaging.pictures import Picture, display_density, overlay, render_rgb
from stainbridge.viewer.layer import Case

#: Longest side, in pixels.
THUMBNAIL_PX = 320


def draw_thumbnail(case: Case) -> Picture:
    """Return both slides overlaid, or the fixed slide where nothing is aligned to it."""
    fixed = case.fixed.slide
    frame = fixed.frame.fit(THUMBNAIL_PX)
    image = fixed.read(frame)
    aligned = [layer for layer in case.layers[1:] if layer.is_aligned]
    if not aligned:
        return render_rgb(image)
    return overlay(display_density(image), display_density(aligned[0].slide.read(frame)))
