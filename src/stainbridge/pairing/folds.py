"""Find folds: places where a section lies doubled up.

A fold is a long dense ridge. All of it is dense, and much denser than the tissue on either side. A
nest of tumour is as dense but not as long, and a row of nests has gaps. Pale folds are missed: what
they displace shows in the residual.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame
from stainbridge.imaging.image import Image
from stainbridge.registration.sections.density import SlideDensity
from stainbridge.slides.slide import Slide
from stainbridge.types import Mask, Plane

#: Pixel size in µm that folds are looked for at.
LOOK_UM = 16.0
#: Longest side in pixels that they are looked for at.
LOOK_PX = 4096
#: Length and width in µm of the segments of a ridge, and how many segments follow on each other.
SEGMENT_UM = (100.0, 50.0)
SEGMENTS = 8
#: Distance in µm of what is compared on either side.
SIDE_UM = 130.0
#: Directions of ridges that are tried, over half a turn.
DIRECTIONS = 12
#: Density of all segments of a fold but one, at least. Densities are roots of absorbed light.
LEAST_DENSITY = 0.8
#: By how much most segments of a fold are denser than both sides, at least.
LEAST_CONTRAST = 0.15
#: How wide the line along a ridge is made, in µm.
FOLD_UM = 64.0
#: Share of a segment that must be tissue to have a density.
LEAST_TISSUE = 0.3

Shift = tuple[float, float]


def find_folds(slide: Slide, density: SlideDensity) -> Image:
    """Return where a slide's tissue is folded: (1, h, w), not 0 there, around its tissue.

    `density` is that of the slide.
    """
    frame = _choose_frame(slide, density.overview.frame)
    image = slide.read(frame)
    region = density.overview.region.astype(np.uint8)
    size = (frame.width, frame.height)
    tissue = cv2.resize(region, size, interpolation=cv2.INTER_NEAREST) > 0
    pixel_um = max(frame.mpp)
    line = _find_lines(density(image), tissue & image.valid, pixel_um)
    width = max(1, round(FOLD_UM / pixel_um))
    folds = cv2.dilate(line.astype(np.uint8), np.ones((width, width), np.uint8)) * tissue
    return Image(folds[None], frame, np.ones(folds.shape, bool))


def _choose_frame(slide: Slide, tissue: Frame) -> Frame:
    """Return the frame of the tissue with the pixels that folds are looked for at."""
    pixel_um = max(LOOK_UM, *slide.frame.mpp, max(tissue.size_um) / LOOK_PX)
    return tissue.at_mpp(pixel_um)


def _find_lines(density: Plane, tissue: Mask, pixel_um: float) -> Mask:
    """Return the middle lines of folds in a density (H, W)."""
    is_fold = np.zeros(density.shape, bool)
    for number in range(DIRECTIONS):
        angle = math.pi * number / DIRECTIONS
        segments = _measure_segments(density, tissue, angle, pixel_um)
        least, contrast = _follow_ridge(segments, angle, pixel_um)
        is_fold |= (least > LEAST_DENSITY) & (contrast > LEAST_CONTRAST)
    return is_fold & tissue


def _measure_segments(density: Plane, tissue: Mask, angle: float, pixel_um: float) -> Plane:
    """Return the mean density of tissue in a segment about each pixel; 0 where there is little."""
    kernel = _draw_segment(angle, pixel_um)
    weight = tissue.astype(np.float32)
    total, share = (
        cv2.filter2D(plane, cv2.CV_32F, kernel, borderType=cv2.BORDER_CONSTANT)
        for plane in (density * weight, weight)
    )
    return np.where(share > LEAST_TISSUE, total / np.maximum(share, LEAST_TISSUE), np.float32(0))


def _draw_segment(angle: float, pixel_um: float) -> npt.NDArray[np.float32]:
    """Return a kernel that averages over a segment."""
    length_um, width_um = SEGMENT_UM
    reach = math.ceil(math.hypot(length_um, width_um) / 2 / pixel_um)
    y_um, x_um = np.mgrid[-reach : reach + 1, -reach : reach + 1] * pixel_um
    along = x_um * math.cos(angle) + y_um * math.sin(angle)
    across = y_um * math.cos(angle) - x_um * math.sin(angle)
    is_inside = (2 * abs(along) <= length_um) & (2 * abs(across) <= max(width_um, pixel_um))
    return np.asarray(is_inside / is_inside.sum(), np.float32)


def _follow_ridge(segments: Plane, angle: float, pixel_um: float) -> tuple[Plane, Plane]:
    """Return of the ridge through each pixel the least density, and the median contrast.

    The least dense of its segments is left out.
    """
    cos, sin = math.cos(angle) / pixel_um, math.sin(angle) / pixel_um
    side = (-SIDE_UM * sin, SIDE_UM * cos)
    middle, contrast = [], []
    for step_um in _list_steps():
        along = (step_um * cos, step_um * sin)
        own, left, right = (
            _move(segments, (along[0] + sign * side[0], along[1] + sign * side[1]))
            for sign in (0, -1, 1)
        )
        middle.append(own)
        contrast.append(own - np.maximum(left, right))
    return np.partition(middle, 1, axis=0)[1], np.median(contrast, axis=0)


def _list_steps() -> Iterator[float]:
    """Yield the distances in µm of a ridge's segments from its middle."""
    for number in range(SEGMENTS):
        yield (number - (SEGMENTS - 1) / 2) * SEGMENT_UM[0]


def _move(plane: Plane, shift: Shift) -> Plane:
    """Return what lies `shift` (x, y) whole pixels from each pixel; 0 beyond the plane."""
    x, y = round(shift[0]), round(shift[1])
    height, width = plane.shape
    moved = np.zeros_like(plane)
    rows, columns = max(0, height - abs(y)), max(0, width - abs(x))
    top, left = max(0, y), max(0, x)
    to_top, to_left = max(0, -y), max(0, -x)
    moved[to_top : to_top + rows, to_left : to_left + columns] = plane[
        top : top + rows, left : left + columns
    ]
    return moved
