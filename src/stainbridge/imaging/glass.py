"""Bare glass: how bright it is over a slide lit unevenly, what lies around it, and whether there is
anything else.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stainbridge.types import Mask, Pixels, Plane

#: Detail of a picture, as a share of its own spread: below the first it is the scanner's, whatever
#: its distribution; up to the second it is the scanner's when it is spread like noise, evenly over
#: the picture.
FAINTEST, STRONGEST_NOISE = 0.006, 0.03
#: The 99th percentile of noise is below this many times its median (normal noise: 3.8); a section's
#: edges are beyond.
NOISE_TAIL = 6.0
#: Blocks the light is estimated from, how many at least, and what its surface must show to be
#: believed.
BLOCKS, FEWEST, SUPPORT, TOLERANCE, LEAST_RANGE = 48, 64, 0.2, 0.012, 0.025
#: A block's side in pixels at least: of fewer, smoothness says nothing.
BLOCK = 4
#: Standard deviation inside a block: glass has at most twice that of the smoothest fifth of the
#: blocks, within these.
SMOOTH, ROUGH = 0.003, 0.02
#: Stripes and shades that remain: blocks to see them in, how far off the rest bare ones may be, how
#: many blocks one speaks for, as a standard deviation, from how much bare glass it is the nearest
#: that counts, and the least of them.
FINE_BLOCKS, SHADE, REACH, NEAR, LEAST_SHADE = 96, 0.1, 1.5, 0.3, 0.01
#: Bare blocks lie amid others, at least this share of so many around: flat parts of a pale section
#: are small.
AROUND, ALIKE = 5, 0.95
#: Pure white says nothing of the light: it is overexposed, or canvas around the scan.
SATURATED = 1e-3
#: Canvas: at least this share of a picture, this white, beside glass at least so much darker, of so
#: much of the rest.
CANVAS_SHARE, WHITE, DARKER, GLASS_SHARE = 0.01, 254, 0.015, 0.1
#: Between canvas and glass there is next to nothing: this share of the pixels that are glass.
BETWEEN = 0.05


def is_blank(density: Plane, ignore: Mask) -> bool:
    """Whether a density plane (H, W), of any unit of about 1, shows nothing but glass where not
    `ignore`, (H, W).

    Looks at detail of some 2 to 8 pixels: noise is weaker there than pixel by pixel, gradients of
    light are not seen. Tissue makes it uneven: much in some places, little in others.
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
    return bool(high < FAINTEST or (high < STRONGEST_NOISE and high < NOISE_TAIL * median))


def canvas(pixels: Pixels, density: Plane, ignore: Mask) -> Mask:
    """The pure white that software puts around a scan, (H, W), where glass is darker: it says
    nothing of the light.

    `density` (H, W) is the optical density of `pixels` (3, H, W). White that reaches the picture's
    border is canvas when what is bare of the rest is smooth and distinctly darker. Glass that is
    white itself, overexposed, is none.
    """
    white = _at_border(pixels.min(0) >= WHITE)
    nothing = np.zeros(white.shape, bool)
    if white.mean() < CANVAS_SHARE:
        return nothing
    rough = np.abs(density - cv2.GaussianBlur(density, (0, 0), 2.0))
    rest = ~ignore & (cv2.erode((~white).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0)
    bare = density[rest & (rough < ROUGH)]
    if bare.size < GLASS_SHARE * max(1, int(rest.sum())):
        return nothing
    glass = float(np.percentile(bare, 25))
    alike = float(((bare > glass / 2) & (bare < 2 * glass)).mean())
    between = float((bare < glass / 2).mean())
    return white if glass > DARKER and between < BETWEEN * alike else nothing


def _at_border(mask: Mask) -> Mask:
    """The pieces of a mask that reach the border and are no specks."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    height, width = mask.shape
    left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
    reaches = (left == 0) | (top == 0) | (right == width) | (bottom == height)
    reaches &= stats[:, cv2.CC_STAT_AREA] >= CANVAS_SHARE / 10 * mask.size
    reaches[0] = False
    return np.asarray(reaches[labels])


def uneven_light(density: Plane, ignore: Mask) -> Plane | None:
    """How much darker than at its mean glass is at each pixel, (H, W), in the unit of `density`;
    None when it is even.

    A quadratic surface hugs the brightest parts from below (asymmetric least squares, Newey and
    Powell 1987, doi:10.2307/1911031). It is believed only where smooth, bare parts all over the
    picture lie on it.
    """
    height, width = density.shape
    blocks = _blocks(density, ignore, BLOCKS)
    if blocks is None:
        return None
    slide, level = blocks.slide, blocks.level
    bare = blocks.smooth & (level > SATURATED)
    if bare.sum() < FEWEST:
        return None
    rows, columns = level.shape
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    surface = _lower_envelope(terms[bare], level[bare])
    light = (terms @ surface).astype(np.float32)
    on = bare & (np.abs(level - light) < TOLERANCE)
    quarters = [(upper, left) for upper in _halves(rows) for left in _halves(columns)]
    shares = [
        on[q].sum() / max(1, slide[q].sum()) for q in quarters if slide[q].mean() > SUPPORT / 4
    ]
    if on.sum() < SUPPORT * slide.sum() or min(shares) < SUPPORT / 4:
        return None
    light = np.clip(light, light[on].min(), light[on].max())
    if np.ptp(light) < LEAST_RANGE:
        return None
    return np.asarray(
        cv2.resize(light - light.mean(), (width, height), interpolation=cv2.INTER_LINEAR)
    )


def remaining_shade(above: Plane, ignore: Mask) -> Plane | None:
    """What is left of uneven light at each pixel, (H, W), in the unit of `above`; None when glass
    is even.

    `above` (H, W) is density above glass, negative where glass is brighter. Stripes of a scan's
    lanes and shades that no surface follows are seen where blocks are smooth and faint, and carried
    over what lies between them.
    """
    height, width = above.shape
    blocks = _blocks(above, ignore, FINE_BLOCKS)
    if blocks is None:
        return None
    faint = blocks.smooth & (np.abs(blocks.level) < SHADE)
    bare = (faint & (cv2.blur(faint.astype(np.float32), (AROUND, AROUND)) > ALIKE)).astype(
        np.float32
    )
    if bare.sum() < FEWEST:
        return None
    (near, support), (far, some) = (
        _spread_out(blocks.level, bare, reach) for reach in (REACH, 8 * REACH)
    )
    trust = np.minimum(1, support / NEAR)
    shade = trust * near + (1 - trust) * np.minimum(1, some / (NEAR / 16)) * far
    if np.ptp(np.percentile(shade[bare > 0], (2, 98))) < LEAST_SHADE:
        return None
    return np.asarray(cv2.resize(shade, (width, height), interpolation=cv2.INTER_LINEAR))


def _spread_out(level: Plane, bare: Plane, reach: float) -> tuple[Plane, Plane]:
    """The mean level of bare blocks around each block, weighted by nearness, and how much of it
    there is, to 1.
    """
    support = cv2.GaussianBlur(bare, (0, 0), reach)
    return cv2.GaussianBlur(level * bare, (0, 0), reach) / np.maximum(support, 1e-6), support


@dataclass(frozen=True)
class _Blocks:
    """Blocks of a picture, (rows, columns): mean density, which are wholly slide, and which of
    those are smooth.
    """

    level: Plane
    slide: Mask
    smooth: Mask


def _blocks(density: Plane, ignore: Mask, most: int) -> _Blocks | None:
    """At most `most` blocks along each side, of `BLOCK` pixels at least; None when too few are
    wholly slide.
    """
    height, width = density.shape
    size = min(max(1, width // BLOCK), most), min(max(1, height // BLOCK), most)
    slide = cv2.resize((~ignore).astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.999
    if slide.sum() < FEWEST:
        return None
    level = cv2.resize(density, size, interpolation=cv2.INTER_AREA)
    spread = cv2.resize(density * density, size, interpolation=cv2.INTER_AREA) - level * level
    bound = min(max(4 * float(np.percentile(spread[slide], 20)), SMOOTH**2), ROUGH**2)
    return _Blocks(level, slide, slide & (spread < bound))


def _lower_envelope(terms: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Coefficients of the surface below which few of the values lie."""
    weight = np.ones(len(values))
    solution = np.zeros(terms.shape[1])
    for _ in range(12):
        weighted = terms * weight[:, None]
        solution = np.linalg.solve(
            weighted.T @ terms + 1e-6 * np.eye(len(solution)), weighted.T @ values
        )
        above = values - terms @ solution
        weight = np.where(above > 0, 0.03 / (1 + (above / 0.03) ** 2), 1.0)
    return solution


def _halves(length: int) -> tuple[slice, slice]:
    return slice(0, length // 2), slice(length // 2, length)
