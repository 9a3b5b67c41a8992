"""How a picture was lit, told by its light and never by its type: bright or dark, and white."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stainbridge.imaging.image import Image
from stainbridge.types import Pixels

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
#: The same of an 8-bit colour picture: fluorescence shows white in hardly any place.
LEAST_COLOUR_GLASS_SHARE = 0.05
#: White of usual scales; a picture that reaches half of one has that scale.
USUAL_WHITES = (1.0, 255.0, 1023.0, 4095.0, 16383.0, 65535.0)
#: Percentile of the values that stands for the brightest: single hot pixels are brighter.
BRIGHTEST_PERCENTILE = 99.8


@dataclass(frozen=True)
class Illumination:
    """How a picture was lit, and which value is white in it."""

    is_bright: bool
    """Whether light passes through the slide."""
    white: float
    """The value of light that nothing absorbs; 255 for 8 bits. Of no use in dark field."""
    glass: float | None = None
    """Optical density of bare glass, where a wider picture told."""

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
        least, least_glass = LEAST_COLOUR_LEVEL, LEAST_COLOUR_GLASS_SHARE
    else:
        least = LEAST_CHANNELS_LEVEL if len(image.pixels) == 3 else LEAST_GREY_LEVEL
        least_glass = LEAST_GLASS_SHARE
    glass_share = float((grey > GLASS_LEVEL * brightest).mean())
    return Illumination(level > least or glass_share > least_glass, white)


def is_brightfield(image: Image) -> bool:
    """Whether light passes through the slide; see `find_illumination`."""
    return find_illumination(image).is_bright


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
