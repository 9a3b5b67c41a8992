"""Tell a picture of labels from a picture of tissue: labels must never be averaged."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from stainbridge.slides.slide import Slide
from stainbridge.types import Pixels, Points

#: Places that are looked at, along each side.
PLACES = 5
#: Side of a place, in full-resolution pixels.
PLACE_PX = 128
#: Further places: where an overview of so many pixels differs most from its typical colour.
OVERVIEW_PX = 256
UNLIKE_PLACES = 8
#: A picture of no more values than this is one of labels.
MOST_VALUES = 32
#: Share of neighbours that are equal in a picture of labels; in tissue it is far lower.
EQUAL_NEIGHBOURS = 0.75
#: Words in the name of a picture of labels.
NAMES = re.compile(r"(?<![a-z])(labels?|masks?|seg|segmentations?|segmented|annotations?)(?![a-z])")


def is_label_slide(slide: Slide) -> bool:
    """Return whether a slide holds labels: few whole numbers, or named so, in flat areas.

    Some places are read at full resolution. Raises `InputError` where a tile cannot be read.
    """
    dtype = np.dtype(slide.info.dtype)
    if dtype.kind not in "iu" or not (slide.info.is_rgb or len(slide.info.channels) == 1):
        return False
    places = [_to_values(pixels) for pixels in _read_places(slide)]
    values = np.unique(np.concatenate([place.ravel() for place in places]))
    if len(values) < 2:
        return False
    is_named = NAMES.search(Path(slide.info.path).name.lower()) is not None
    return (is_named or len(values) <= MOST_VALUES) and _are_flat(places)


def _read_places(slide: Slide) -> list[Pixels]:
    frame = slide.frame
    width = min(PLACE_PX, frame.width)
    height = min(PLACE_PX, frame.height)
    places = [
        (round(x * (frame.width - width)), round(y * (frame.height - height)))
        for y in np.linspace(0, 1, PLACES)
        for x in np.linspace(0, 1, PLACES)
    ]
    places += [
        (
            round(min(max(x - width / 2, 0), frame.width - width)),
            round(min(max(y - height / 2, 0), frame.height - height)),
        )
        for x, y in _find_unlike_ground(slide)
    ]
    return [slide.read(frame.crop(*place, width, height)).pixels for place in set(places)]


def _find_unlike_ground(slide: Slide) -> Points:
    """Return the places (N, 2) in full-resolution pixels that differ most from the typical colour.

    Tissue may be small on a large slide, and everything else of one value, as on a mask.
    """
    overview = slide.read(slide.frame.fit(OVERVIEW_PX))
    pixels = overview.pixels.astype(np.float64)
    typical = np.median(pixels, axis=(1, 2), keepdims=True)
    difference = np.abs(pixels - typical).sum(0).ravel()
    farthest = np.argsort(-difference, kind="stable")[:UNLIKE_PLACES]
    return slide.frame.to_px(overview.frame.centres_um()[farthest])


def _to_values(pixels: Pixels) -> Pixels:
    """Return one number a pixel, (H, W), of pixels (C, H, W)."""
    if len(pixels) == 1:
        return np.asarray(pixels[0])
    weights = 256 ** np.arange(len(pixels))[:, None, None]
    return np.asarray((pixels.astype(np.int64) * weights).sum(axis=0))


def _are_flat(places: list[Pixels]) -> bool:
    """Return whether most neighbours are equal in the places with more than one value."""
    pairs = [(p[:, 1:] == p[:, :-1]).ravel() for p in places if p.min() < p.max()]
    return not pairs or bool(np.concatenate(pairs).mean() >= EQUAL_NEIGHBOURS)
