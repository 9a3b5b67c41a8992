"""Estimate how unevenly a slide is lit, from its bare glass."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stainbridge.types import Mask, Plane

#: Blocks along each side that the light is estimated from, at most.
SURFACE_BLOCKS = 48
#: Blocks along each side that stripes and shades are seen in, at most.
SHADE_BLOCKS = 96
#: Side of a block in pixels, at least; of fewer pixels, smoothness says nothing.
LEAST_BLOCK_PX = 4
#: Blocks that an estimate needs.
LEAST_BLOCKS = 64
#: A block is inside the slide when at least this share of it is.
INSIDE_SHARE = 0.999
#: Pure white is below this optical density. It says nothing of the light: it is overexposed, or
#: canvas around the scan.
SATURATED_DENSITY = 1e-3
#: A block lies on the surface of the light when it is this close to it, in optical density.
SURFACE_TOLERANCE = 0.012
#: Share of the blocks that must lie on the surface for it to be believed; a quarter of that in each
#: quarter of the picture.
LEAST_SUPPORT = 0.2
#: Range of the light, in optical density, below which it counts as even.
LEAST_RANGE = 0.025
#: Steps of the asymmetric least squares.
ENVELOPE_STEPS = 12
#: Optical density at which a block above the surface begins to count less.
ENVELOPE_SOFTNESS = 0.03
#: A block is smooth up to twice the standard deviation of the smoothest fifth of the blocks, but at
#: least up to this one, in optical density ...
LEAST_SMOOTH_BOUND = 0.003
#: ... and at most up to this one.
MAX_SMOOTH_BOUND = 0.02
#: A block whose density differs less from glass may be bare, in optical density.
FAINT_DENSITY = 0.1
#: Bare blocks lie among others: this many on each side of a square ...
NEIGHBOURHOOD_BLOCKS = 5
#: ... of which at least this share is faint. Flat parts of a pale section are smaller.
NEIGHBOURHOOD_SHARE = 0.95
#: Standard deviation, in blocks, over which one block's shade is carried.
NEAR_REACH_BLOCKS = 1.5
#: The same where there is little bare glass nearby.
FAR_REACH_BLOCKS = 8 * NEAR_REACH_BLOCKS
#: Share of bare glass nearby from which the near estimate counts alone.
NEAR_SUPPORT = 0.3
#: The same for the far estimate.
FAR_SUPPORT = NEAR_SUPPORT / 16
#: Range of the shade, in optical density, below which glass counts as even.
LEAST_SHADE = 0.01


def estimate_uneven_light(density: Plane, ignore: Mask) -> Plane | None:
    """Estimate how much darker than on average glass is at each pixel, (H, W).

    In the unit of `density`; None when the light is even. A quadratic surface is fitted to the
    brightest parts from below, by asymmetric least squares (Newey and Powell 1987,
    doi:10.2307/1911031). It is believed only where smooth, bare parts all over the picture lie on
    it.
    """
    height, width = density.shape
    blocks = _average_blocks(density, ignore, SURFACE_BLOCKS)
    if blocks is None:
        return None
    bare = blocks.smooth & (blocks.level > SATURATED_DENSITY)
    if bare.sum() < LEAST_BLOCKS:
        return None
    rows, columns = blocks.level.shape
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    surface = _fit_lower_envelope(terms[bare], blocks.level[bare])
    light = (terms @ surface).astype(np.float32)
    on_surface = bare & (np.abs(blocks.level - light) < SURFACE_TOLERANCE)
    if not _is_supported(on_surface, blocks.inside):
        return None
    light = np.clip(light, light[on_surface].min(), light[on_surface].max())
    if np.ptp(light) < LEAST_RANGE:
        return None
    return np.asarray(
        cv2.resize(light - light.mean(), (width, height), interpolation=cv2.INTER_LINEAR)
    )


def estimate_remaining_shade(above: Plane, ignore: Mask) -> Plane | None:
    """Estimate what is left of uneven light at each pixel, (H, W), in the unit of `above`.

    None when glass is even. `above` (H, W) is density above glass, negative where glass is
    brighter. Stripes of a scan's lanes, and shades that no quadratic surface follows, are seen
    where blocks are smooth and faint, and interpolated between.
    """
    height, width = above.shape
    blocks = _average_blocks(above, ignore, SHADE_BLOCKS)
    if blocks is None:
        return None
    faint = blocks.smooth & (np.abs(blocks.level) < FAINT_DENSITY)
    faint_share = cv2.blur(faint.astype(np.float32), (NEIGHBOURHOOD_BLOCKS, NEIGHBOURHOOD_BLOCKS))
    bare = (faint & (faint_share > NEIGHBOURHOOD_SHARE)).astype(np.float32)
    if bare.sum() < LEAST_BLOCKS:
        return None
    near, near_support = _average_nearby(blocks.level, bare, NEAR_REACH_BLOCKS)
    far, far_support = _average_nearby(blocks.level, bare, FAR_REACH_BLOCKS)
    trust = np.minimum(1, near_support / NEAR_SUPPORT)
    shade = trust * near + (1 - trust) * np.minimum(1, far_support / FAR_SUPPORT) * far
    if np.ptp(np.percentile(shade[bare > 0], (2, 98))) < LEAST_SHADE:
        return None
    return np.asarray(cv2.resize(shade, (width, height), interpolation=cv2.INTER_LINEAR))


def _average_nearby(level: Plane, bare: Plane, reach: float) -> tuple[Plane, Plane]:
    """Average bare blocks around each block, weighted by nearness, and return how many there are.

    The second result is the weighted share of bare blocks, 0 to 1.
    """
    support = cv2.GaussianBlur(bare, (0, 0), reach)
    return cv2.GaussianBlur(level * bare, (0, 0), reach) / np.maximum(support, 1e-6), support


@dataclass(frozen=True)
class _Blocks:
    """Blocks of a picture, (rows, columns)."""

    level: Plane
    """Mean density."""
    inside: Mask
    """Which lie wholly inside the slide."""
    smooth: Mask
    """Which of those are smooth."""


def _average_blocks(density: Plane, ignore: Mask, most: int) -> _Blocks | None:
    """Divide a plane into at most `most` blocks along each side; None when too few are inside."""
    height, width = density.shape
    columns = min(max(1, width // LEAST_BLOCK_PX), most)
    rows = min(max(1, height // LEAST_BLOCK_PX), most)
    size = (columns, rows)
    inside_share = cv2.resize((~ignore).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    inside = inside_share > INSIDE_SHARE
    if inside.sum() < LEAST_BLOCKS:
        return None
    level = cv2.resize(density, size, interpolation=cv2.INTER_AREA)
    variance = cv2.resize(density * density, size, interpolation=cv2.INTER_AREA) - level * level
    smoothest = 4 * float(np.percentile(variance[inside], 20))
    bound = min(max(smoothest, LEAST_SMOOTH_BOUND**2), MAX_SMOOTH_BOUND**2)
    return _Blocks(level, inside, inside & (variance < bound))


def _is_supported(on_surface: Mask, inside: Mask) -> bool:
    """Whether enough of the blocks lie on the surface, in all and in each quarter."""
    rows, columns = inside.shape
    quarters = [(upper, left) for upper in _halves(rows) for left in _halves(columns)]
    used = [quarter for quarter in quarters if inside[quarter].mean() > LEAST_SUPPORT / 4]
    shares = [on_surface[quarter].sum() / max(1, inside[quarter].sum()) for quarter in used]
    return bool(
        on_surface.sum() >= LEAST_SUPPORT * inside.sum() and min(shares) >= LEAST_SUPPORT / 4
    )


def _fit_lower_envelope(terms: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the coefficients of the surface below which few of the values lie."""
    weight = np.ones(len(values))
    solution = np.zeros(terms.shape[1])
    for _ in range(ENVELOPE_STEPS):
        weighted = terms * weight[:, None]
        solution = np.linalg.solve(
            weighted.T @ terms + 1e-6 * np.eye(len(solution)), weighted.T @ values
        )
        above = values - terms @ solution
        softened = ENVELOPE_SOFTNESS / (1 + (above / ENVELOPE_SOFTNESS) ** 2)
        weight = np.where(above > 0, softened, 1.0)
    return solution


def _halves(length: int) -> tuple[slice, slice]:
    return slice(0, length // 2), slice(length // 2, length)
