"""Maps over a case as pictures that let the slides shine through."""

from __future__ import annotations

from typing import Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.geometry.transform import Transform
from stainbridge.imaging.agreement import local_agreement
from stainbridge.imaging.pictures import display_density
from stainbridge.imaging.transform_maps import (
    area_map,
    colour_area_map,
    interpolate_colours,
    moving_grid,
)
from stainbridge.slides.slide import Slide

MapKind: TypeAlias = Literal["area", "agreement"]
#: (H, W, 4), red, green, blue, opacity.
SheerPicture: TypeAlias = npt.NDArray[np.uint8]

#: Longest side of a map, in pixels.
MAP_PX = 1024
#: Windows along the longer side in which agreement is measured.
WINDOWS_ACROSS = 32
#: Density from which a pixel counts as tissue.
TISSUE_DENSITY = 0.15
#: Opacity of a map, of 255.
OPACITY = 190
#: RGB colours of agreement from none to full: red over yellow to green.
AGREEMENT_COLOURS = ((165, 0, 38), (253, 174, 97), (255, 255, 191), (166, 217, 106), (0, 104, 55))
#: Lines along the longer side of the grid.
GRID_ACROSS = 24


def draw_area(transform: Transform) -> tuple[SheerPicture, float]:
    """Return the local change of area, and the factor at the end of its colour scale.

    Blue was stretched to fit, red was shrunk, yellow is folded; what is not measured is clear.
    """
    frame = transform.source.frame.fit(MAP_PX)
    areas = area_map(transform)
    colours = colour_area_map(areas, frame.height, frame.width)
    size = (frame.width, frame.height)
    known = cv2.resize(areas.is_known.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    opacity = known[..., None] * OPACITY
    return np.concatenate([np.rint(colours), opacity], axis=-1).astype(np.uint8), areas.limit


def draw_agreement(fixed: Slide, warped: Slide) -> SheerPicture:
    """Return how well the tissue of two slides agrees place by place; glass is clear."""
    frame = fixed.frame.fit(MAP_PX)
    first, second = (display_density(slide.read(frame)) for slide in (fixed, warped))
    window_px = max(3, max(frame.width, frame.height) // WINDOWS_ACROSS)
    tissue = (first > TISSUE_DENSITY) | (second > TISSUE_DENSITY)
    agreement = local_agreement(first, second, window_px, tissue=tissue)
    anchors = np.linspace(0, 1, len(AGREEMENT_COLOURS))
    is_known = np.isfinite(agreement)
    shown = np.where(is_known, agreement, 0)
    colours = interpolate_colours(shown, anchors, AGREEMENT_COLOURS)
    opacity = np.where(is_known, OPACITY, 0)[..., None]
    return np.concatenate([np.rint(colours), opacity], axis=-1).astype(np.uint8)


def trace_grid(transform: Transform) -> list[list[list[float]]]:
    """Return lines of a square grid of the moving slide, in pixels of the fixed slide."""
    lines = moving_grid(transform, transform.source.frame, GRID_ACROSS)
    return [line.round(2).tolist() for line in lines if len(line)]
