"""Look at a few places of a stored level, to tell what it shows without reading all of it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.slides.readers.mosaic import StoredLevel

#: Places that are looked at, as shares of width and height.
PLACES = tuple((x, y) for y in (0.2, 0.5, 0.8) for x in (0.2, 0.5, 0.8))
#: Side of a place in the smaller picture, in pixels.
PLACE_PX = 64
#: A place takes at most this many pixels a side in the larger picture.
LARGEST_PLACE_PX = 512
#: A place is compared as this many cells a side, so that the way of reducing does not matter.
CELLS = 8
#: Share of the variance that may differ between a picture and the same one made smaller.
MOST_DIFFERENCE = 0.2
#: Difference that says nothing, as a share of the largest value: rounding and JPEG.
NOISE_SHARE = 0.01
#: 8-bit value that the ground of a bright-field picture exceeds, and fluorescence does not.
BRIGHT = 160
#: 8-bit values that the darkest and the lightest places of dense tissue in bright field exceed, and
#: how many percent of the places may be darker or lighter.
DARK = 50
LIGHT = 150
DARK_PERCENT = 5

Cells = npt.NDArray[np.float64]


def shows_same_picture(base: StoredLevel, smaller: StoredLevel) -> bool:
    """Return whether `smaller` shows what `base` shows, at a lower resolution.

    Raises `InputError` where a tile cannot be read.
    """
    factor = max(have / less for have, less in zip(base.size, smaller.size, strict=True))
    side_px = max(1, min(PLACE_PX, int(LARGEST_PLACE_PX / factor)))
    first = _read_cells(base, side_px * factor)
    second = _read_cells(smaller, side_px)
    noise = NOISE_SHARE * max(np.abs(first).max(), np.abs(second).max())
    difference = float(np.mean((first - second) ** 2))
    return bool(difference <= MOST_DIFFERENCE * first.var() + noise**2)


def is_bright_field(level: StoredLevel) -> bool:
    """Return whether every channel of an 8-bit level is bright in most places, and black in none.

    Dense tissue darkens most places; even then hardly any is as dark as the ground of fluorescence.
    """
    values = _read_cells(level, PLACE_PX)
    dark, middle, light = np.percentile(values, (DARK_PERCENT, 50, 100 - DARK_PERCENT), (0, 1, 2))
    is_dense_tissue = (dark >= DARK) & (light >= LIGHT)
    return bool(((middle >= BRIGHT) | is_dense_tissue).all())


def _read_cells(level: StoredLevel, side_px: float) -> Cells:
    """Return mean values (N, cells, cells, C) at the places; the first three channels."""
    return np.stack([_read_place(level, place, side_px) for place in PLACES])


def _read_place(level: StoredLevel, place: tuple[float, float], side_px: float) -> Cells:
    boxes = []
    for share, length in zip(place, level.size, strict=True):
        side = min(side_px, float(length))
        start = min(max(share * length - side / 2, 0), length - side)
        first = round(start)
        boxes.append((first, max(1, min(round(start + side), length) - first)))
    (x, width), (y, height) = boxes
    pixels = level.region(x, y, width, height)[..., :3].astype(np.float64)
    cells = cv2.resize(pixels, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    return np.asarray(cells, np.float64).reshape(CELLS, CELLS, -1)
