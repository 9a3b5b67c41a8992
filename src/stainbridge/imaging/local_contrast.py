"""See tissue by its local contrast: where one stain shows next to nothing, or all is nearly black.

Beside a dark marker a faint counterstain is no darker than uneven light on glass, so no level tells
tissue from glass. It has structure all the same, and structure is more than noise. Divided by its
own standard deviation nearby, it looks like that of any other stain.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.imaging.tissue import close_region, find_otsu_threshold
from stainbridge.types import Mask, Plane

#: Longer side in pixels of the picture that the lengths below are for.
NOMINAL_PX = 512
#: Standard deviation in pixels over which noise is averaged.
SMOOTH_PX = 1.0
#: Standard deviation in pixels of the neighbourhood that contrast is measured in.
NEARBY_PX = 15.0
#: Percentile of the local contrast that counts as the noise of the picture.
NOISE_PERCENTILE = 10
#: What is darker than its neighbourhood by more than this many times the noise counts as that: a
#: dark nest would hide all around it.
MOST_CONTRAST = 10.0
#: Density of what is as dark as its neighbourhood, and how much it grows by a standard deviation.
MIDDLE_DENSITY = 0.5
DENSITY_PER_DEVIATION = 0.25
#: Largest density.
MAX_DENSITY = 1.2
#: Pixels this near to what is not tissue are left out too.
FOREIGN_REACH_PX = 2
#: Weighted share of the pixels nearby that count, at least, for their mean to be whole.
LEAST_COUNT = 1e-3
#: Texture is what lies between these standard deviations in pixels, ...
TEXTURE_PX = (1.0, 3.0)
#: ... and its strength is measured over this one.
TEXTURE_REACH_PX = 6.0
#: Texture that rounding to grey levels leaves, in optical density: glass that was compressed may
#: have none at all.
LEAST_TEXTURE = 8e-4
#: Percentile of the texture that is taken for that of glass.
GLASS_PERCENTILE = 5
#: Texture stronger than this many times that counts as that: a dark nest has far more than the
#: faint tissue around it.
MOST_TEXTURE = 2.0
#: Texture of tissue over that of glass, at least.
LEAST_TEXTURE_RATIO = 1.35
#: Share of the picture that is tissue, at least and at most.
SHARES = (0.03, 0.98)
#: Widest gap between parts of a region that is bridged, as a share of the longer side.
CLOSE_SHARE = 0.03
#: Pieces smaller than this share of the largest are debris.
KEEP_SHARE = 0.05


def normalise_contrast(light: Plane, foreign: Mask) -> Plane:
    """Return density (H, W), 0 to 1.2, by how far it is from that nearby; 0.5 where `foreign`.

    `light` is that of `colour.measure_light`. It is divided by its standard deviation nearby and
    the noise of the picture, added in squares.
    """
    unit = max(light.shape) / NOMINAL_PX
    weight = _weigh(foreign)
    smooth = _average(light, weight, SMOOTH_PX * unit)
    nearby = NEARBY_PX * unit
    mean = _average(smooth, weight, nearby)
    contrast = np.sqrt(_average(np.square(smooth - mean), weight, nearby))
    noise = _measure_noise(contrast, weight)
    limited = np.minimum(smooth, mean + MOST_CONTRAST * noise)
    mean = _average(limited, weight, nearby)
    spread = np.sqrt(_average(np.square(limited - mean), weight, nearby) + noise**2)
    density = MIDDLE_DENSITY + DENSITY_PER_DEVIATION * (limited - mean) / spread * weight
    return np.asarray(np.clip(density, 0, MAX_DENSITY), np.float32)


def find_textured_region(light: Plane, foreign: Mask) -> Mask | None:
    """Return where there is more texture than on glass, (H, W); None where all is alike.

    `light` is that of `colour.measure_light`. Glass is smooth but for noise.
    """
    unit = max(light.shape) / NOMINAL_PX
    weight = _weigh(foreign)
    if not weight.any():
        return None
    fine, coarse = (_average(light, weight, length * unit) for length in TEXTURE_PX)
    power = _average(np.square(fine - coarse), weight, TEXTURE_REACH_PX * unit)
    texture = np.log(np.sqrt(power + LEAST_TEXTURE**2))
    threshold = _split_texture(texture[weight > 0])
    if threshold is None:
        return None
    region = close_region(texture > threshold, CLOSE_SHARE, KEEP_SHARE)
    return region if region.any() else None


def _split_texture(texture: npt.NDArray[np.float32]) -> float | None:
    """Return the logarithm that texture of tissue exceeds; None where there is one kind only."""
    most = np.percentile(texture, GLASS_PERCENTILE) + np.log(MOST_TEXTURE)
    limited = np.minimum(texture, np.float32(most))
    threshold = find_otsu_threshold(limited)
    is_tissue = limited > threshold
    if not SHARES[0] < is_tissue.mean() < SHARES[1]:
        return None
    ratio = np.exp(limited[is_tissue].mean() - limited[~is_tissue].mean())
    return threshold if ratio >= LEAST_TEXTURE_RATIO else None


def _measure_noise(contrast: Plane, weight: Plane) -> float:
    used = contrast[weight > 0]
    return max(float(np.percentile(used, NOISE_PERCENTILE)), 1e-6) if used.size else 1.0


def _weigh(foreign: Mask) -> Plane:
    """Return 1 where pixels count and 0 on and near what is not tissue, (H, W)."""
    side = 2 * FOREIGN_REACH_PX + 1
    near = cv2.dilate(foreign.astype(np.uint8), np.ones((side, side), np.uint8))
    return np.asarray(near == 0, np.float32)


def _average(plane: Plane, weight: Plane, deviation: float) -> Plane:
    """Return Gaussian means (H, W) of the pixels that count; 0 where none is near."""
    total = cv2.GaussianBlur(plane * weight, (0, 0), deviation)
    count = cv2.GaussianBlur(weight, (0, 0), deviation)
    return np.asarray(total / np.maximum(count, LEAST_COUNT), np.float32)
