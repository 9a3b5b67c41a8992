"""Tell a picture of labels from a picture of tissue: labels must never be averaged."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stainbridge.slides.slide import Slide
from stainbridge.types import Pixels, Points

Steps = npt.NDArray[np.float64]
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
#: The same share where one value, the ground, is left aside: objects are small and many. It is a
#: half in any picture that was enlarged to twice its size.
EQUAL_IN_OBJECTS = 0.55
#: Steps between unlike neighbours of a smooth picture are mostly no larger than this.
SMOOTH_STEP = 2
#: Words in the name of a picture of labels.
NAMES = re.compile(r"(?<![a-z])(labels?|masks?|seg|segmentations?|segmented|annotations?)(?![a-z])")


def is_label_slide(slide: Slide) -> bool:
    """Return whether a slide holds labels: whole numbers in flat areas.

    They are few, or the slide is named so, or many objects differ by leaps. Some places are read at
    full resolution. Raises `InputError` where a tile cannot be read.
    """
    if not (slide.info.is_rgb or len(slide.info.channels) == 1):
        return False
    pictures = _read_places(slide)
    places = [_to_values(pixels) for pixels in pictures]
    values, counts = np.unique(
        np.concatenate([place.ravel() for place in places]), return_counts=True
    )
    if len(values) < 2 or not np.array_equal(values, np.floor(values)):
        return False
    is_named = NAMES.search(Path(slide.info.path).name.lower()) is not None
    if is_named or len(values) <= MOST_VALUES:
        return _are_flat(places)
    ground = values[np.argmax(counts)]
    return _are_objects([_find_steps(*both, ground) for both in zip(pictures, places, strict=True)])


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


def _are_objects(steps: list[Steps]) -> bool:
    """Return whether steps are those of flat objects, which differ by leaps."""
    joined = np.concatenate(steps)
    leaps = joined[joined > 0]
    is_flat = len(joined) > 0 and len(leaps) <= (1 - EQUAL_IN_OBJECTS) * len(joined)
    return is_flat and (not len(leaps) or bool(np.median(leaps) > SMOOTH_STEP))


def _find_steps(pixels: Pixels, values: Pixels, ground: float) -> Steps:
    """Return the steps (N,) between neighbours in a row, of which neither is ground.

    `pixels` is (C, H, W), `values` (H, W); of the channels the largest step counts.
    """
    is_object = values != ground
    steps = np.abs(np.diff(pixels.astype(np.float64), axis=2)).max(axis=0)
    return np.asarray(steps[is_object[:, :-1] & is_object[:, 1:]])


def _are_flat(places: list[Pixels]) -> bool:
    """Return whether most neighbours are equal in the places with more than one value."""
    pairs = [(p[:, 1:] == p[:, :-1]).ravel() for p in places if p.min() < p.max()]
    return not pairs or bool(np.concatenate(pairs).mean() >= EQUAL_NEIGHBOURS)
