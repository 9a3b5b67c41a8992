"""Tell tissue from bare glass, and glass from the canvas that software puts around a scan."""

from __future__ import annotations

import cv2
import numpy as np

from stainbridge.types import Mask, Pixels, Plane

#: Detail weaker than this, in the density's unit, is the scanner's, whatever its distribution.
WEAKEST_DETAIL = 0.006
#: Detail up to this, in the density's unit, is the scanner's when it is spread evenly, like noise.
STRONGEST_NOISE = 0.03
#: The 99th percentile of noise is below this many times its median (normal noise: 3.8); edges of a
#: section are above.
NOISE_TAIL_RATIO = 6.0
#: Detail of 8 to 32 pixels over that of 2 to 8 from which it is a pale stain's: noise falls to .3.
PALE_STAIN_RATIO = 0.4
#: Share of a picture that canvas covers at least.
LEAST_CANVAS_SHARE = 0.01
#: Share of a picture that one piece of canvas covers at least; smaller ones are specks.
LEAST_PIECE_SHARE = LEAST_CANVAS_SHARE / 10
#: Grey value, of 255, from which a pixel may be canvas.
CANVAS_WHITE = 254
#: Optical density of glass, at least, where canvas is told from it.
LEAST_GLASS_DENSITY = 0.015
#: Share of the rest of the picture that bare glass covers at least.
LEAST_GLASS_SHARE = 0.1
#: A pixel that differs less from its surroundings, in optical density, may be bare glass.
SMOOTH_DENSITY = 0.02
#: Pixels between canvas and glass, at most, as a share of the pixels that are glass.
MAX_BETWEEN_SHARE = 0.05


def is_blank(density: Plane, ignore: Mask) -> bool:
    """Whether a density plane (H, W), in any unit of about 1, shows nothing but glass.

    Pixels in `ignore`, (H, W), do not count. The test looks at detail of about 2 to 8 pixels: noise
    is weaker there than pixel by pixel, and gradients of light are not seen. Tissue makes detail
    uneven: much in some places, little in others. A field full of pale tissue may be as even as
    noise, but its detail is coarser.
    """
    if ignore.all():
        return True
    plane = np.where(ignore, np.median(density[~ignore][::7]), density) if ignore.any() else density
    half = cv2.resize(
        plane,
        (max(1, plane.shape[1] // 2), max(1, plane.shape[0] // 2)),
        interpolation=cv2.INTER_AREA,
    )
    detail = cv2.GaussianBlur(half, (0, 0), 1.0) - cv2.GaussianBlur(half, (0, 0), 4.0)
    median, high = np.percentile(np.abs(detail), (50, 99))
    is_even = high < NOISE_TAIL_RATIO * median
    if high < WEAKEST_DETAIL:
        return True
    if high >= STRONGEST_NOISE or not is_even:
        return False
    coarse = cv2.GaussianBlur(half, (0, 0), 4.0) - cv2.GaussianBlur(half, (0, 0), 16.0)
    coarse_high = float(np.percentile(np.abs(coarse), 99))
    return bool(coarse_high < max(WEAKEST_DETAIL, PALE_STAIN_RATIO * high))


def find_canvas(pixels: Pixels, density: Plane, ignore: Mask) -> Mask:
    """Find the pure white that software puts around a scan, (H, W), where glass is darker.

    `density` (H, W) is the optical density of `pixels` (3, H, W). White that reaches the picture's
    border is canvas when the bare part of the rest is smooth and distinctly darker. Where glass
    itself is white, because it is overexposed, there is no canvas.
    """
    white = _pieces_at_border(pixels.min(0) >= CANVAS_WHITE)
    nothing = np.zeros(white.shape, bool)
    if white.mean() < LEAST_CANVAS_SHARE:
        return nothing
    roughness = np.abs(density - cv2.GaussianBlur(density, (0, 0), 2.0))
    rest = ~ignore & (cv2.erode((~white).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0)
    bare = density[rest & (roughness < SMOOTH_DENSITY)]
    if bare.size < LEAST_GLASS_SHARE * max(1, int(rest.sum())):
        return nothing
    glass = float(np.percentile(bare, 25))
    glass_share = float(((bare > glass / 2) & (bare < 2 * glass)).mean())
    between_share = float((bare < glass / 2).mean())
    is_apart = between_share < MAX_BETWEEN_SHARE * glass_share
    return white if glass > LEAST_GLASS_DENSITY and is_apart else nothing


def _pieces_at_border(mask: Mask) -> Mask:
    """Select the pieces of a mask that reach the border and are no specks."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    height, width = mask.shape
    left = stats[:, cv2.CC_STAT_LEFT]
    top = stats[:, cv2.CC_STAT_TOP]
    right = left + stats[:, cv2.CC_STAT_WIDTH]
    bottom = top + stats[:, cv2.CC_STAT_HEIGHT]
    selected = (left == 0) | (top == 0) | (right == width) | (bottom == height)
    selected &= stats[:, cv2.CC_STAT_AREA] >= LEAST_PIECE_SHARE * mask.size
    selected[0] = False
    return np.asarray(selected[labels])
