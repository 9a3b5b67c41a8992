"""Turn a picture in any stain into one plane that says how much tissue is where."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.imaging.bubbles import find_bubble_edges
from stainbridge.imaging.glass import find_canvas, is_blank
from stainbridge.imaging.illumination.field import Illumination, find_illumination
from stainbridge.imaging.illumination.shade import estimate_remaining_shade, estimate_uneven_light
from stainbridge.imaging.illumination.signal import find_glare, find_signal_range
from stainbridge.imaging.image import Image
from stainbridge.imaging.ink import BLACK_LEVEL, find_ink
from stainbridge.imaging.tissue import MOST_DRAWN_SHARE
from stainbridge.imaging.unreadable import hide_unreadable
from stainbridge.types import Mask, Pixels, Plane

#: Noise of bare glass in optical density: a few grey levels. On a smear the square root would turn
#: it into a veil.
GLASS_NOISE_DENSITY = 0.02
#: A smear is darker than bare glass on less than this share of its area ...
SMEAR_SHARE = 0.08
#: ... and there by more than this many times the noise of glass.
SMEAR_CONTRAST = 10.0
#: Root of the density of pixels that set the scale, at least.
LEAST_SHOWN = 0.02
#: Pixels that show more than noise and can set the scale, at least.
LEAST_CLEAR_PIXELS = 64
#: Range that a fluorescence channel's signal is stretched over, at least, in units of its noise.
LEAST_SIGNAL_RANGE = 12.0
#: The background of a channel ends this many times its noise above the fifth percentile of a 3 x 3
#: median.
BACKGROUND_MARGIN = 0.35
#: Bins of the histogram that bare glass is found in ...
BINS = 256
#: ... and their width, in optical density.
BIN_DENSITY = 1.5 / BINS
#: Glass that is not the fullest bin is brighter than it by at least this optical density, ...
GLASS_GAP_DENSITY = 0.06
#: ... lies within this optical density of its own peak, ...
GLASS_PEAK_DENSITY = 0.03
#: ... covers at least this share of the picture, ...
LEAST_GLASS_SHARE = 0.03
#: ... and between both peaks there are fewer pixels than this share of its own.
MAX_VALLEY_RATIO = 0.25
#: Pixels, about, that the level of glass is averaged over.
BACKGROUND_SAMPLES = 20_000
#: Least intensity, of 255; below it cameras are not linear.
LEAST_INTENSITY = 4
#: First quartile of the absolute value of standard normal noise.
NORMAL_QUARTILE = 0.319


def optical_density(rgb: Pixels, white: float = 255.0) -> Pixels:
    """Return −ln(I / white) of (C, H, W) intensities, by the Beer-Lambert law.

    I is at least 4, below which cameras are not linear.
    """
    if rgb.dtype == np.uint8:
        return np.take(optical_density(np.arange(256, dtype=np.float32), white), rgb)
    return np.asarray(
        -np.log(np.clip(rgb, LEAST_INTENSITY, white, dtype=np.float32) / np.float32(white))
    )


def tissue_density(image: Image, illumination: Illumination | None = None) -> Plane:
    """Return how much tissue each pixel shows, (H, W): 0 on background, about 1 on dark tissue.

    It is at most 1.2, and does not depend on the stain. Bright field: the square root of the
    optical density above the slide's own background, which may be tinted or lit unevenly. The root
    keeps faint counterstain visible beside DAB. Dark field: the brightest channel after hot pixels
    are removed. Ink, scan borders, saturated corners of a dark field and pixels that are not valid
    or not finite are background. A slide that shows nothing but noise is 0 everywhere.

    `illumination` is that of the slide; None: as this picture alone shows it. A picture without
    any background does not show it: grey tissue may be either.
    """
    image = hide_unreadable(image)
    lit = illumination or find_illumination(image)
    density, ignore = _brightfield(image, lit) if lit.is_bright else _fluorescence(image)
    if is_blank(density, ignore):
        return np.zeros(density.shape, np.float32)
    noise = _smear_noise(density[~ignore])
    density = np.clip(density - noise, 0, None)
    density[ignore] = 0
    return _normalise(np.sqrt(density), may_be_veiled=lit.is_bright and noise == 0)


def measure_glass(image: Image, illumination: Illumination) -> float | None:
    """Return the optical density of bare glass in a bright-field picture; None in a dark field."""
    if not illumination.is_bright:
        return None
    _, density, black, outside = _measure_absorption(image, illumination)
    return _background(density[~(black | outside)])


def measure_light(image: Image, illumination: Illumination) -> tuple[Plane, Mask]:
    """Return how much tissue each pixel shows with nothing taken off for the background, (H, W).

    It is optical density in a bright field, and the root of the signal in a dark one. The mask is
    where it is not the tissue's, as in `tissue_density`; but what is black on much of the picture
    is no ink.
    """
    image = hide_unreadable(image)
    if not illumination.is_bright:
        signal, ignore = _fluorescence(image)
        return np.sqrt(signal), ignore
    rgb, density, black, outside = _measure_absorption(image, illumination)
    foreign = _find_foreign(rgb, density, black, outside, illumination.glass)
    is_drawn = (foreign & ~outside).mean() < MOST_DRAWN_SHARE
    return density, foreign if is_drawn else outside


def _measure_absorption(
    image: Image, illumination: Illumination
) -> tuple[npt.NDArray[np.uint8], Plane, Mask, Mask]:
    """Return 8-bit RGB (3, H, W), its mean optical density, and where it is black or no glass."""
    rgb = illumination.to_bytes(image.pixels)
    red, green, blue = optical_density(rgb)
    density = (red + green + blue) * np.float32(1 / 3)
    black = ~image.valid | (rgb.max(0) < BLACK_LEVEL)
    return rgb, density, black, ~image.valid | find_canvas(rgb, density, black)


def _brightfield(image: Image, illumination: Illumination) -> tuple[Plane, Mask]:
    """Return optical density above glass, (H, W), and where it is not the tissue's, (H, W)."""
    rgb, density, black, outside = _measure_absorption(image, illumination)
    glass = illumination.glass
    ignore = _find_foreign(rgb, density, black, outside, glass)
    light = estimate_uneven_light(density, ignore)
    if light is not None:
        density -= light
        glass = None  # it is known with the light on it
    above = density - _background(density[~ignore], glass)
    shade = estimate_remaining_shade(above, ignore)
    return np.clip(above if shade is None else above - shade, 0, None), ignore


def _find_foreign(
    rgb: npt.NDArray[np.uint8], density: Plane, black: Mask, outside: Mask, glass: float | None
) -> Mask:
    """Return where something else than tissue absorbs: canvas, ink, edges of air bubbles."""
    rough = density - _background(density[~(black | outside)], glass)
    return outside | find_ink(rgb, rough) | find_bubble_edges(rgb, rough)


def _smear_noise(above: np.ndarray) -> float:
    """Return the density to subtract: that of noise on a smear of scattered cells, else 0."""
    sample = above[::5]
    if sample.size == 0 or float((sample > 2 * GLASS_NOISE_DENSITY).mean()) > SMEAR_SHARE:
        return 0.0
    is_smear = float(np.percentile(sample, 99.9)) > SMEAR_CONTRAST * GLASS_NOISE_DENSITY
    return GLASS_NOISE_DENSITY if is_smear else 0.0


def _background(density: np.ndarray, glass: float | None = None) -> float:
    """Return the mode of the lower part of the histogram: bare glass, whatever its tint.

    `glass` is where a wider picture has it.

    It is the mean of the values about the fullest bin: the root turns a difference of half a bin
    into a veil over all the glass. Where evenly stained tissue fills most of the picture, the mode
    is the tissue's, and glass a smaller peak that is brighter.
    """
    if density.size == 0:
        return 0.0
    counts = cv2.calcHist(
        [density.reshape(-1, 1)], [0], None, [BINS], [0.0, BINS * BIN_DENSITY]
    ).ravel()
    smooth = np.convolve(counts, np.ones(5) / 5, "same")
    low = max(2, int(np.searchsorted(np.cumsum(counts), 0.7 * density.size)))
    mode = (_find_glass_bin(smooth, int(np.argmax(smooth[:low])), glass) + 0.5) * BIN_DENSITY
    sample = density[:: max(1, density.size // BACKGROUND_SAMPLES)]
    near = sample[np.abs(sample - mode) < 1.5 * BIN_DENSITY]
    return float(near.mean()) if near.size else mode


def _find_glass_bin(counts: npt.NDArray[np.floating], mode: int, glass: float | None = None) -> int:
    """Return the bin of a peak far brighter than `mode` that is glass; `mode` where is none.

    It stands apart, or lies where `glass` is known to.
    """
    end = mode - round(GLASS_GAP_DENSITY / BIN_DENSITY)
    if end <= 0:
        return mode
    bright = int(np.argmax(counts[:end]))
    reach = round(GLASS_PEAK_DENSITY / BIN_DENSITY)
    share = counts[max(0, bright - reach) : bright + reach + 1].sum() / max(1.0, counts.sum())
    valley = counts[bright : mode + 1].min()
    is_apart = valley < MAX_VALLEY_RATIO * counts[bright]
    is_known = glass is not None and abs(bright - glass / BIN_DENSITY) <= reach
    return bright if share > LEAST_GLASS_SHARE and (is_apart or is_known) else mode


def _fluorescence(image: Image) -> tuple[Plane, Mask]:
    """Return the brightest channel, (H, W), each scaled to its own signal, and what is not tissue.

    Saturated light at the border hides the other channels too.
    """
    glare = np.any([find_glare(plane, image.valid) for plane in image.pixels], axis=0)
    signal = np.max([_signal(plane, image.valid & ~glare) for plane in image.pixels], axis=0)
    return np.asarray(signal), ~image.valid | glare


def _signal(plane: np.ndarray, valid: Mask) -> Plane:
    """Scale one channel, (H, W), from 0 at its background to 1 at its brightest tissue.

    Where that hardly exceeds the noise it stays below 1.
    """
    raw = plane.astype(np.float32)
    smooth = cv2.medianBlur(raw, 3)
    if not valid.any():
        return np.zeros_like(smooth)
    noise = _noise(raw)
    low, high = find_signal_range(_sample_valid(smooth, valid))
    low += BACKGROUND_MARGIN * noise
    signal_range = max(float(high - low), LEAST_SIGNAL_RANGE * noise, 1e-6)
    return np.asarray(np.clip((smooth - low) / signal_range, 0, 1.5))


def _noise(plane: Plane) -> float:
    """Estimate the standard deviation of the noise where it is weakest.

    It follows from the first quartile of differences of neighbours.
    """
    if min(plane.shape) < 2:
        return 0.0
    mixed = plane[:-1:2, :-1:2] - plane[1::2, :-1:2] - plane[:-1:2, 1::2] + plane[1::2, 1::2]
    return float(np.percentile(np.abs(mixed), 25)) / (NORMAL_QUARTILE * 2)


def _sample_valid(plane: Plane, valid: Mask) -> np.ndarray:
    """Return every other valid pixel of every other row, which is enough for percentiles."""
    step = 2 if valid[::2, ::2].any() else 1
    return np.asarray(plane[::step, ::step][valid[::step, ::step]])


def _normalise(density: Plane, *, may_be_veiled: bool) -> Plane:
    """Return the density over that of dark tissue, at most 1.2.

    Where nearly all of a picture is glass, its noise is a veil that would set the scale. There only
    pixels count that show more than noise.
    """
    tissue = density[density > LEAST_SHOWN]
    clear = density[density > np.sqrt(GLASS_NOISE_DENSITY)]
    if may_be_veiled and LEAST_CLEAR_PIXELS <= clear.size < SMEAR_SHARE * density.size:
        tissue = clear
    if tissue.size == 0:
        return density.astype(np.float32)
    high = np.percentile(tissue[tissue >= np.median(tissue)], 90)
    return np.asarray(np.clip(density / max(float(high), 1e-3), 0, 1.2), np.float32)
