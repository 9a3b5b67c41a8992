"""Pictures of one or two images, as (H, W, 3) uint8 RGB: pure functions."""

from __future__ import annotations

import base64
import io
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import PIL.Image

from stainbridge.imaging.glass import uneven_light
from stainbridge.imaging.image import Image
from stainbridge.types import Mask, Plane

Picture: TypeAlias = npt.NDArray[np.uint8]  # (H, W, 3)

#: Display colours of channels that have none, in their order.
CHANNEL_COLOURS = (
    (64, 110, 255),
    (60, 220, 90),
    (255, 70, 70),
    (255, 190, 40),
    (230, 80, 230),
    (60, 220, 220),
)
DARK_MEDIAN = 64  # an 8-bit RGB picture with a median below this has a dark background
DEAD_SHARE = (
    0.04  # differences from the background smaller than this share of the picture's range are noise
)


def viewable(image: Image) -> Picture:
    """The image as people expect to see it: RGB as it is, other channels stretched, coloured and
    added up.
    """
    if _is_rgb(image):
        return np.ascontiguousarray(np.moveaxis(image.pixels, 0, -1))
    planes = [_stretched(channel, image) for channel in image.pixels]
    if len(planes) == 1:
        return np.repeat(_bytes(planes[0])[..., None], 3, axis=-1)
    colours = [
        np.array(CHANNEL_COLOURS[n % len(CHANNEL_COLOURS)]) / 255 for n in range(len(planes))
    ]
    return _bytes(
        np.sum(
            [plane[..., None] * colour for plane, colour in zip(planes, colours, strict=True)],
            axis=0,
        )
    )


def density(image: Image) -> Plane:
    """How much tissue each pixel shows, (H, W) in 0..1, whatever the stain: 0 is background, the
    median of tissue ½.

    The background is taken to be bright in RGB pictures, unless most of the picture is dark, and
    dark in all others. A bright one that is lit unevenly is evened out. Pixels that are not valid
    are 0.
    """
    grey = np.asarray(image.pixels, np.float32).mean(axis=0)
    inside = grey[image.valid]
    if not inside.size:
        return np.zeros_like(grey)
    if _is_rgb(image) and float(np.median(inside)) >= DARK_MEDIAN:
        grey = _evenly_lit(255 - grey, ~image.valid)
        inside = grey[image.valid]
    low, high = np.percentile(inside, (0.5, 99.5)).tolist()
    reach = high - low
    if reach <= 1e-6 * max(abs(low), abs(high)):  # a flat picture
        return np.zeros_like(grey)
    contrast = (grey - _commonest(inside, low, low + reach / 4)) / reach - DEAD_SHARE
    tissue = contrast[image.valid & (contrast > DEAD_SHARE)]
    middle = float(np.clip(np.median(tissue), 0.05, 0.95)) if tissue.size else 0.5
    # An equal middle for both stains, or the fainter one would not be seen in an overlay.
    lifted = np.clip(contrast, 0, 1) ** (np.log(0.5) / np.log(middle))
    return np.asarray(np.where(image.valid, lifted, 0), np.float32)


def _evenly_lit(darkness: Plane, ignore: Mask) -> Plane:
    """A plane (H, W), 0 white to 255 black, on which bare glass is equally dark all over, where
    enough of it shows.
    """
    light = uneven_light(darkness * np.float32(1 / 255), ignore)
    return darkness if light is None else np.asarray(darkness - 255 * light)


def _commonest(values: npt.NDArray[np.float32], low: float, high: float) -> float:
    """The fullest of 64 bins between `low` and `high`."""
    counts, edges = np.histogram(values.astype(np.float64), 64, (low, high))
    fullest = int(counts.argmax())
    return float(edges[fullest : fullest + 2].mean())


def overlay(fixed: Plane, moving: Plane) -> Picture:
    """Two densities (H, W) on white: fixed alone magenta, moving alone green, both together grey to
    black.
    """
    return _bytes(np.stack([1 - moving, 1 - fixed, 1 - moving], axis=-1))


def checkerboard(first: Picture, second: Picture, across: int = 12) -> Picture:
    """Squares of two pictures of one size in turn, about `across` along the longer side; the first
    at the top left.
    """
    side = max(1, round(max(first.shape[:2]) / across))
    rows, columns = (np.arange(n) // side for n in first.shape[:2])
    odd = (rows[:, None] + columns[None]) % 2 == 1
    return np.where(odd[..., None], second, first)


def data_uri(picture: Picture, kind: Literal["jpeg", "png"] = "jpeg") -> str:
    """The picture as a `data:` address, to stand inside a page."""
    buffer = io.BytesIO()
    options = {"quality": 84, "optimize": True} if kind == "jpeg" else {"optimize": True}
    PIL.Image.fromarray(picture).save(buffer, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _is_rgb(image: Image) -> bool:
    return len(image.pixels) == 3 and image.pixels.dtype == np.uint8


def _stretched(channel: npt.NDArray[np.generic], image: Image) -> Plane:
    """One channel between its 1st and 99.8th percentile, 0..1."""
    values = np.asarray(channel, np.float32)
    inside = values[image.valid]
    low, high = np.percentile(inside, (1, 99.8)) if inside.size else (0.0, 1.0)
    return np.asarray(np.clip((values - low) / max(float(high - low), 1e-6), 0, 1) * image.valid)


def _bytes(values: npt.NDArray[np.floating]) -> Picture:
    return np.asarray(np.clip(np.rint(values * 255), 0, 255), np.uint8)
