"""How a picture was lit, told by its light and never by its type: bright or dark, and white."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.imaging.image import Image
from stainbridge.types import Mask, Pixels, Plane

#: Median ÷ white from which an 8-bit colour picture is bright field: dense stains are dark.
LEAST_COLOUR_LEVEL = 60 / 255
#: The same of three channels that may be fluorescence.
LEAST_CHANNELS_LEVEL = 0.5
#: The same of one grey channel.
LEAST_GREY_LEVEL = 0.7
#: A pixel this near to white, as a share of it, may be glass.
GLASS_LEVEL = 0.85
#: Share of the pixels that are glass, from which light passes through a slide however dark.
LEAST_GLASS_SHARE = 0.25
#: White of usual scales; a picture that reaches half of one has that scale.
USUAL_WHITES = (1.0, 255.0, 1023.0, 4095.0, 16383.0, 65535.0)
#: Percentile of the values that stands for the brightest: single hot pixels are brighter.
BRIGHTEST_PERCENTILE = 99.8
#: Background and brightest signal of a dark channel, as percentiles.
SIGNAL_PERCENTILES = (5, 99.5)
#: Saturated pixels cover at most this share of a picture where they are an artefact ...
MOST_GLARE_SHARE = 0.05
#: ... at least this share of it in one piece, for single pixels are hot ...
LEAST_GLARE_SHARE = 0.001
#: ... and are more than this many times as bright as the brightest signal.
GLARE_RATIO = 2.0
#: Values this near to the largest are saturated, as a share of it.
SATURATION_TOLERANCE = 1e-3
#: Side in pixels of the square by which glare is grown: light spills over.
GLARE_REACH_PX = 7


@dataclass(frozen=True)
class Illumination:
    """How a picture was lit, and which value is white in it."""

    is_bright: bool
    """Whether light passes through the slide."""
    white: float
    """The value of light that nothing absorbs; 255 for 8 bits. Of no use in dark field."""

    def to_bytes(self, pixels: Pixels) -> npt.NDArray[np.uint8]:
        """Return bright-field values (C, H, W), C of 1 or 3, as 8-bit RGB (3, H, W)."""
        colours = pixels if len(pixels) == 3 else np.repeat(pixels[:1], 3, axis=0)
        if colours.dtype == np.uint8:
            return np.asarray(colours, np.uint8)
        scaled = colours.astype(np.float32) * np.float32(255 / self.white)
        return np.asarray(np.clip(np.rint(scaled), 0, 255), np.uint8)


def find_illumination(image: Image) -> Illumination:
    """Tell bright from dark field by the level of most pixels and by how much is glass.

    Light that passes through a slide leaves glass bright and few pixels near black. A dark field is
    dark but for its signal. Type and scale of the values make no difference; more than three
    channels are a dark field.
    """
    grey = _sample_grey(image)
    if len(image.pixels) not in (1, 3):
        return Illumination(False, _find_white(image, grey))
    white = _find_white(image, grey)
    if grey.size == 0:
        return Illumination(_is_colour(image), white)
    brightest = 255.0 if _is_colour(image) else float(np.percentile(grey, BRIGHTEST_PERCENTILE))
    if brightest <= 0:
        return Illumination(False, white)
    level = float(np.median(grey)) / brightest
    if _is_colour(image):
        return Illumination(level > LEAST_COLOUR_LEVEL, white)
    least = LEAST_CHANNELS_LEVEL if len(image.pixels) == 3 else LEAST_GREY_LEVEL
    glass_share = float((grey > GLASS_LEVEL * brightest).mean())
    return Illumination(level > least or glass_share > LEAST_GLASS_SHARE, white)


def is_brightfield(image: Image) -> bool:
    """Whether light passes through the slide; see `find_illumination`."""
    return find_illumination(image).is_bright


def hide_unreadable(image: Image) -> Image:
    """Return the image with pixels that are NaN or infinite set to 0 and not valid."""
    if image.pixels.dtype.kind != "f":
        return image
    finite = np.isfinite(image.pixels)
    if finite.all():
        return image
    pixels = np.where(finite, image.pixels, 0).astype(image.pixels.dtype)
    return replace(image, pixels=pixels, valid=image.valid & finite.all(axis=0))


def measure_unreadable(image: Image) -> float:
    """Return the share of an image's pixels that are NaN or infinite."""
    if image.pixels.dtype.kind != "f":
        return 0.0
    return 1.0 - float(np.isfinite(image.pixels).all(axis=0).mean())


def find_signal_range(values: npt.NDArray[Any]) -> tuple[float, float]:
    """Return background and brightest signal of one dark channel's values (N,).

    Few saturated values far above all others are an artefact and do not count.
    """
    low, high = np.percentile(values, SIGNAL_PERCENTILES)
    saturated = values >= _find_saturation(values)
    if 0 < saturated.mean() <= MOST_GLARE_SHARE:
        rest_high = np.percentile(values[~saturated], SIGNAL_PERCENTILES[1])
        if float(values.max()) - low > GLARE_RATIO * (rest_high - low):
            high = rest_high
    return float(low), float(high)


def find_glare(plane: Plane, valid: Mask) -> Mask:
    """Return where saturated light reaches the border of a dark channel (H, W), with its rim.

    Nothing is glare where the signal is nearly as bright.
    """
    nothing = np.zeros(plane.shape, bool)
    values = plane[valid]
    if not values.size:
        return nothing
    low, high = find_signal_range(values)
    saturated = valid & (plane >= _find_saturation(values))
    is_apart = float(values.max()) - low > GLARE_RATIO * (high - low)
    if not is_apart or saturated.mean() > MOST_GLARE_SHARE:
        return nothing
    _, labels, stats, _ = cv2.connectedComponentsWithStats(saturated.astype(np.uint8))
    edges = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    large = stats[:, cv2.CC_STAT_AREA] >= LEAST_GLARE_SHARE * plane.size
    at_border = np.isin(labels, [edge for edge in edges if edge > 0 and large[edge]])
    kernel = np.ones((GLARE_REACH_PX, GLARE_REACH_PX), np.uint8)
    return np.asarray(cv2.dilate(at_border.astype(np.uint8), kernel) > 0)


def _is_colour(image: Image) -> bool:
    """Whether three channels of eight bits are red, green and blue."""
    return len(image.pixels) == 3 and image.pixels.dtype == np.uint8


def _sample_grey(image: Image) -> npt.NDArray[np.float64]:
    """Return the mean over the channels of every other valid, finite pixel, (N,)."""
    step = 2 if min(image.valid.shape) > 1 else 1
    grey = image.pixels[:, ::step, ::step].astype(np.float64).mean(axis=0)
    return np.asarray(grey[image.valid[::step, ::step] & np.isfinite(grey)])


def _find_white(image: Image, grey: npt.NDArray[np.float64]) -> float:
    """Return the least usual white that the picture does not exceed, or its own brightest value."""
    if image.pixels.dtype == np.uint8 or not grey.size:
        return 255.0
    brightest = float(np.percentile(grey, BRIGHTEST_PERCENTILE))
    for white in USUAL_WHITES:
        if white / 2 < brightest <= white:
            return white
    return max(brightest, 1e-12)


def _find_saturation(values: npt.NDArray[Any]) -> float:
    return float(values.max()) * (1 - SATURATION_TOLERANCE)
