"""Draw one or two images as pictures for people: pure functions on arrays, (H, W, 3) uint8 RGB."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.imaging.illumination.field import find_illumination
from stainbridge.imaging.illumination.shade import estimate_uneven_light
from stainbridge.imaging.image import Image
from stainbridge.imaging.unreadable import hide_unreadable
from stainbridge.types import Mask, Pixels, Plane

Picture: TypeAlias = npt.NDArray[np.uint8]  # (H, W, 3)

#: RGB display colours of channels that have none, in channel order; easy to tell apart on black.
CHANNEL_COLOURS = (
    (64, 110, 255),
    (60, 220, 90),
    (255, 70, 70),
    (255, 190, 40),
    (230, 80, 230),
    (60, 220, 220),
)
#: Share of the image's grey range: smaller differences from the background are noise.
NOISE_SHARE = 0.04
#: Pixels that the levels of a density are measured on, about, at most twice as many.
MOST_SAMPLES = 100_000


def render_rgb(image: Image) -> Picture:
    """Return the image as RGB: RGB unchanged, other channels stretched, coloured and summed."""
    if _is_rgb(image):
        return np.ascontiguousarray(np.moveaxis(image.pixels, 0, -1))
    planes = [_stretch(channel, image) for channel in image.pixels]
    if len(planes) == 1:
        return np.repeat(_to_bytes(planes[0])[..., None], 3, axis=-1)
    colours = [
        np.array(CHANNEL_COLOURS[n % len(CHANNEL_COLOURS)]) / 255 for n in range(len(planes))
    ]
    coloured = [plane[..., None] * colour for plane, colour in zip(planes, colours, strict=True)]
    return _to_bytes(np.sum(coloured, axis=0))


def display_density(image: Image) -> Plane:
    """Return how much tissue each pixel shows, (H, W) from 0 (background) to 1, for any stain.

    The median of the tissue is 0.5, so that a faint stain is seen as well as a strong one.
    The light tells whether the background is bright or dark. Uneven light on a bright background is
    evened out. Pixels that are not valid or not finite are 0.
    """
    image = hide_unreadable(image)
    if not image.valid.any():
        return np.zeros(image.valid.shape, np.float32)
    light = find_illumination(image)
    if light.is_bright:
        grey = 255 - _average_channels(light.to_bytes(image.pixels))
        grey = _even_out_light(grey, ~image.valid)
    else:
        grey = _average_channels(image.pixels)
    inside = grey[image.valid]
    sample = inside[:: max(1, inside.size // MOST_SAMPLES)]
    low, high = np.percentile(sample, (0.5, 99.5)).tolist()
    grey_range = high - low
    if grey_range <= 1e-6 * max(abs(low), abs(high)):  # a flat image
        return np.zeros_like(grey)
    background = _most_common_value(sample, low, low + grey_range / 4)
    contrast = (grey - background) / grey_range - NOISE_SHARE
    sampled = (sample - background) / grey_range - NOISE_SHARE
    tissue = sampled[sampled > NOISE_SHARE]
    middle = float(np.clip(np.median(tissue), 0.05, 0.95)) if tissue.size else 0.5
    # Both stains get the same median: in an overlay the fainter one would not be seen otherwise.
    shown = np.clip(contrast, 0, 1) ** (np.log(0.5) / np.log(middle))
    return np.asarray(np.where(image.valid, shown, 0), np.float32)


def overlay(fixed: Plane, moving: Plane) -> Picture:
    """Overlay two densities (H, W): fixed alone is magenta, moving alone green, both grey to black.

    The background is white.
    """
    without_fixed, without_moving = (_to_bytes(1 - plane) for plane in (fixed, moving))
    return np.stack([without_moving, without_fixed, without_moving], axis=-1)


def checkerboard(first: Picture, second: Picture, across: int = 12) -> Picture:
    """Return alternating squares of two pictures of one size; the first is at the top left.

    About `across` squares fit along the longer side. Raises `InputError` for less than one.
    """
    if not across >= 1:
        raise InputError("too few squares", where="across", expected="at least 1", got=across)
    side = max(1, round(max(first.shape[:2]) / across))
    rows, columns = (np.arange(length) // side for length in first.shape[:2])
    odd = (rows[:, None] + columns[None]) % 2 == 1
    return np.where(odd[..., None], second, first)


def _average_channels(pixels: Pixels) -> Plane:
    """Return the mean of channels (C, H, W), (H, W), plane by plane whatever the memory order."""
    total = pixels[0].astype(np.float32)
    for plane in pixels[1:]:
        total += plane
    return np.asarray(total / np.float32(len(pixels)), np.float32)


def _even_out_light(darkness: Plane, ignore: Mask) -> Plane:
    """Make bare glass equally dark everywhere on a plane (H, W) of 0 (white) to 255 (black).

    Where too little glass shows, the plane is returned unchanged.
    """
    light = estimate_uneven_light(darkness * np.float32(1 / 255), ignore)
    return darkness if light is None else np.asarray(darkness - 255 * light)


def _most_common_value(values: npt.NDArray[np.float32], low: float, high: float) -> float:
    """Return the middle of the fullest of 64 bins between `low` and `high`."""
    counts, edges = np.histogram(values.astype(np.float64), 64, (low, high))
    fullest = int(counts.argmax())
    return float(edges[fullest : fullest + 2].mean())


def _is_rgb(image: Image) -> bool:
    return len(image.pixels) == 3 and image.pixels.dtype == np.uint8


def _stretch(channel: npt.NDArray[np.generic], image: Image) -> Plane:
    """Stretch one channel from its 1st to its 99.8th percentile over 0..1."""
    values = np.asarray(channel, np.float32)
    inside = values[image.valid]
    low, high = np.percentile(inside, (1, 99.8)) if inside.size else (0.0, 1.0)
    return np.asarray(np.clip((values - low) / max(float(high - low), 1e-6), 0, 1) * image.valid)


def _to_bytes(values: npt.NDArray[np.floating]) -> Picture:
    return np.asarray(np.clip(np.rint(values * 255), 0, 255), np.uint8)
