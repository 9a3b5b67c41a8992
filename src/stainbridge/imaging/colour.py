"""From a picture in any stain to one plane that says how much tissue is where."""

from __future__ import annotations

import cv2
import numpy as np

from stainbridge.imaging.glass import canvas, is_blank, remaining_shade, uneven_light
from stainbridge.imaging.image import Image
from stainbridge.imaging.ink import BLACK, drawn
from stainbridge.types import Mask, Pixels, Plane

#: A smear: less than this share of it is darker than bare glass, but what is, is darker by many
#: times this much, the optical density of a few grey levels. There the root would make a veil of
#: the scanner's noise.
SMEAR_SHARE, GLASS_NOISE, SMEAR_CONTRAST = 0.08, 0.02, 10.0
#: A fluorescence channel's signal is shown against at least so many times its noise.
NOISE_SPAN = 12.0
#: The background of a channel ends so many times its noise above the fifth percentile, of a 3 x 3
#: median.
NOISE_ABOVE = 0.35


def optical_density(rgb: Pixels, white: float = 255.0) -> Pixels:
    """Beer-Lambert: −ln(I / white) of (C, H, W) intensities, clipped at I = 4 where cameras stop
    being linear.
    """
    if rgb.dtype == np.uint8:
        return np.take(optical_density(np.arange(256, dtype=np.float32), white), rgb)
    return np.asarray(-np.log(np.clip(rgb, 4, white, dtype=np.float32) / np.float32(white)))


def is_brightfield(image: Image) -> bool:
    """Whether light passes through the slide: 8-bit RGB whose valid pixels are mostly not near
    black.
    """
    if image.pixels.shape[0] != 3 or image.pixels.dtype != np.uint8:
        return False
    grey = image.pixels[:, ::2, ::2].mean(0)[image.valid[::2, ::2]]
    return bool(grey.size == 0 or np.median(grey) > 60)


def tissue_density(image: Image) -> Plane:
    """(H, W) float32: 0 on background, about 1 on dark tissue, whatever the stain; ≤ 1.2.

    Bright field: the square root of the optical density above the slide's own background (the root
    keeps faint counterstain visible beside DAB), which may be tinted or lit unevenly. Dark field:
    the brightest channel after hot pixels are removed. Ink, scan borders and pixels that are not
    valid are background. A slide on which nothing but noise is seen is 0 everywhere.
    """
    density, ignore = (
        _brightfield(image) if is_brightfield(image) else (_fluorescence(image), ~image.valid)
    )
    if is_blank(density, ignore):
        return np.zeros(density.shape, np.float32)
    density = np.clip(density - _veil(density[~ignore]), 0, None)
    density[ignore] = 0
    return _normalised(np.sqrt(density))


def _brightfield(image: Image) -> tuple[Plane, Mask]:
    """Optical density above glass, (H, W), and where it is not the tissue's, (H, W)."""
    red, green, blue = optical_density(image.pixels)
    density = (red + green + blue) * np.float32(1 / 3)
    black = ~image.valid | (image.pixels.max(0) < BLACK)
    outside = ~image.valid | canvas(image.pixels, density, black)
    ignore = outside | drawn(image.pixels, density - _background(density[~(black | outside)]))
    light = uneven_light(density, ignore)
    if light is not None:
        density -= light
    above = density - _background(density[~ignore])
    shade = remaining_shade(above, ignore)
    return np.clip(above if shade is None else above - shade, 0, None), ignore


def _veil(above: np.ndarray) -> float:
    """What to take off densities above glass: nothing, but on a smear of scattered dark cells the
    noise between.
    """
    sample = above[::5]
    if sample.size == 0 or float((sample > 2 * GLASS_NOISE).mean()) > SMEAR_SHARE:
        return 0.0
    return GLASS_NOISE if float(np.percentile(sample, 99.5)) > SMEAR_CONTRAST * GLASS_NOISE else 0.0


def _background(density: np.ndarray) -> float:
    """The mode of the lower part of the histogram: bare glass, however tinted."""
    if density.size == 0:
        return 0.0
    counts = cv2.calcHist([density.reshape(-1, 1)], [0], None, [256], [0.0, 1.5]).ravel()
    smooth = np.convolve(counts, np.ones(5) / 5, "same")
    low = max(2, int(np.searchsorted(np.cumsum(counts), 0.7 * density.size)))
    return (int(np.argmax(smooth[:low])) + 0.5) * 1.5 / 256


def _fluorescence(image: Image) -> Plane:
    """The brightest channel, each scaled to its own signal, (H, W)."""
    return np.asarray(np.max([_signal(plane, image.valid) for plane in image.pixels], axis=0))


def _signal(plane: np.ndarray, valid: Mask) -> Plane:
    """One channel, (H, W): 0 at its background, 1 at its brightest tissue, less where that hardly
    exceeds the noise.
    """
    raw = plane.astype(np.float32)
    smooth = cv2.medianBlur(raw, 3)
    if not valid.any():
        return np.zeros_like(smooth)
    noise = _noise(raw)
    low, high = np.percentile(_thinned(smooth, valid), (5, 99.5))
    low += NOISE_ABOVE * noise
    return np.asarray(
        np.clip((smooth - low) / max(float(high - low), NOISE_SPAN * noise, 1e-6), 0, 1.5)
    )


def _noise(plane: Plane) -> float:
    """Standard deviation of the noise where it is weakest: from the first quartile of differences
    of neighbours.
    """
    if min(plane.shape) < 2:
        return 0.0
    mixed = plane[:-1:2, :-1:2] - plane[1::2, :-1:2] - plane[:-1:2, 1::2] + plane[1::2, 1::2]
    return float(np.percentile(np.abs(mixed), 25)) / (0.319 * 2)


def _thinned(plane: Plane, valid: Mask) -> np.ndarray:
    """Values at every other valid pixel of every other row, enough for percentiles."""
    step = 2 if valid[::2, ::2].any() else 1
    return np.asarray(plane[::step, ::step][valid[::step, ::step]])


def _normalised(density: Plane) -> Plane:
    tissue = density[density > 0.02]
    if tissue.size == 0:
        return density.astype(np.float32)
    high = np.percentile(tissue[tissue >= np.median(tissue)], 90)
    return np.asarray(np.clip(density / max(float(high), 1e-3), 0, 1.2), np.float32)
